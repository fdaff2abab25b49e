"""One file, one browser: a literal DESCRIBE (see `harness.core.nouns.Browser`), read as data."""
