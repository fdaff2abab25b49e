"""Image and text to text, one forward pass."""

DESCRIBE = {
    "name": "image-text-to-text",
    "title": "Image and text to text, one forward pass",
    "auto_classes": ["AutoModelForImageTextToText"],
    "inputs": ["forward"],
    "item": "sequence",
    "length_default": 128,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
