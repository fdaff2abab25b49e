"""Image classification."""

DESCRIBE = {
    "name": "image-classification",
    "title": "Image classification",
    "auto_classes": ["AutoModelForImageClassification"],
    "inputs": ["image"],
    "item": "image",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "argmax",
}
