"""A bare ONNX graph."""

DESCRIBE = {
    "name": "graph",
    "title": "A bare ONNX graph",
    "auto_classes": [],
    "inputs": ["signature"],
    "item": "run",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
