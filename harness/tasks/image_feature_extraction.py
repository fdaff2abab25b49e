"""Features of images."""

DESCRIBE = {
    "name": "image-feature-extraction",
    "title": "Features of images",
    "auto_classes": ["AutoModel"],
    "inputs": ["forward"],
    "item": "image",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
