"""Audio against texts: how well each describes it."""

DESCRIBE = {
    "name": "zero-shot-audio-classification",
    "title": "Audio against texts: how well each describes it",
    "auto_classes": ["AutoModel"],
    "inputs": ["forward"],
    "item": "clip",
    # A label in a few words.
    "length_default": 16,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
