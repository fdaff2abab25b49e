"""Runs in its own process: a Case in, Events out. Imports one ML library, and of ours only `harness.core`."""
