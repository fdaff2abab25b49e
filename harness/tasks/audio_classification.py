"""Audio classification."""

DESCRIBE = {
    "name": "audio-classification",
    "title": "Audio classification",
    "auto_classes": ["AutoModelForAudioClassification"],
    "inputs": ["forward"],
    "item": "clip",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
