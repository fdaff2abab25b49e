"""What the ONNX Runtime backend is made of, a file for each of its concerns."""
