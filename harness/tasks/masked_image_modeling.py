"""Masked image modelling: pixels of the patches that are hidden."""

DESCRIBE = {
    "name": "masked-image-modeling",
    "title": "Masked image modelling: pixels of the patches that are hidden",
    "auto_classes": ["AutoModelForMaskedImageModeling"],
    "inputs": ["forward"],
    "item": "image",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
