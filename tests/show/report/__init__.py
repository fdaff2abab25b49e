"""Reports: what they say, and how it looks in each format."""
