"""Image to image: a larger one, or what stands in front."""

DESCRIBE = {
    "name": "image-to-image",
    "title": "Image to image: a larger one, or what stands in front",
    "auto_classes": ["AutoModelForImageToImage", "AutoModelForImageMatting"],
    "inputs": ["forward"],
    "item": "image",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
