"""One file = one native backend."""
