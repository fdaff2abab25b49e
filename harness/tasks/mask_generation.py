"""Masks of what points or boxes in an image mean."""

DESCRIBE = {
    "name": "mask-generation",
    "title": "Masks of what points or boxes in an image mean",
    "auto_classes": ["AutoModelForMaskGeneration"],
    "inputs": ["forward"],
    "item": "image",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
