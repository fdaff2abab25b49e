"""Images against texts: how well each describes them."""

DESCRIBE = {
    "name": "zero-shot-image-classification",
    "title": "Images against texts: how well each describes them",
    "auto_classes": ["AutoModelForZeroShotImageClassification"],
    "inputs": ["forward"],
    "item": "image",
    "length_default": 16,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
