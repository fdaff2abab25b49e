"""One file = one task family, as data."""
