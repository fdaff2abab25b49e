"""Features or tokens of audio."""

DESCRIBE = {
    "name": "audio-feature-extraction",
    "title": "Features or tokens of audio",
    "auto_classes": ["AutoModel"],
    "inputs": ["forward"],
    "item": "clip",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
