"""Videos against texts: how well each describes them."""

DESCRIBE = {
    "name": "zero-shot-video-classification",
    "title": "Videos against texts: how well each describes them",
    "auto_classes": ["AutoModel"],
    "inputs": ["forward"],
    "item": "video",
    "length_default": 16,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
