"""Features of videos."""

DESCRIBE = {
    "name": "video-feature-extraction",
    "title": "Features of videos",
    "auto_classes": ["AutoModel"],
    "inputs": ["forward"],
    "item": "video",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
