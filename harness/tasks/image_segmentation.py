"""Image segmentation: a label or a mask per pixel."""

DESCRIBE = {
    "name": "image-segmentation",
    "title": "Image segmentation: a label or a mask per pixel",
    "auto_classes": [
        "AutoModelForSemanticSegmentation",
        "AutoModelForUniversalSegmentation",
        "AutoModelForInstanceSegmentation",
        "AutoModelForImageSegmentation",
    ],
    "inputs": ["forward"],
    "item": "image",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
