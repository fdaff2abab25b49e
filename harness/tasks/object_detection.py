"""Object detection: boxes and labels."""

DESCRIBE = {
    "name": "object-detection",
    "title": "Object detection: boxes and labels",
    "auto_classes": ["AutoModelForObjectDetection"],
    "inputs": ["forward"],
    "item": "image",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
