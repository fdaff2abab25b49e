"""Bare ONNX graphs: their files, their data, their symbolic dimensions, one run on ONNX Runtime."""
