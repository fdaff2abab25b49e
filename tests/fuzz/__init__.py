"""Coverage-guided fuzzing of what parses outside words: `python -m tests.fuzz TARGET --seconds 30`."""
