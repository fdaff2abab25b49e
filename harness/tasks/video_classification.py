"""Video classification."""

DESCRIBE = {
    "name": "video-classification",
    "title": "Video classification",
    "auto_classes": ["AutoModelForVideoClassification"],
    "inputs": ["forward"],
    "item": "video",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
