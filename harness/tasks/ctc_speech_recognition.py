"""Speech recognition by CTC: one score per letter and frame."""

DESCRIBE = {
    "name": "ctc-speech-recognition",
    "title": "Speech recognition by CTC: one score per letter and frame",
    "auto_classes": ["AutoModelForCTC"],
    "inputs": ["forward"],
    "item": "clip",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
