"""Architectures: config → tiny or full model, and the input bytes of a task’s roles; rules and data."""
