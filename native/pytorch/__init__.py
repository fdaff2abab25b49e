"""What the PyTorch backend is made of, a file for each of its concerns."""
