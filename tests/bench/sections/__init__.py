"""One file = one section."""
