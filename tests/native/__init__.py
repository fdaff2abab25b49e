"""Tests of native/, each through a real worker where one can run."""
