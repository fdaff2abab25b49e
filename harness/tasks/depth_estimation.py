"""Depth estimation: a distance per pixel."""

DESCRIBE = {
    "name": "depth-estimation",
    "title": "Depth estimation: a distance per pixel",
    "auto_classes": ["AutoModelForDepthEstimation"],
    "inputs": ["forward"],
    "item": "image",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
