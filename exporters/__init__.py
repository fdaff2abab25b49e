"""Runs in its own process: Model + Task in, Artifact out."""
