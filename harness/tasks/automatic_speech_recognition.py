"""Speech recognition, one forward pass."""

DESCRIBE = {
    "name": "automatic-speech-recognition",
    "title": "Speech recognition, one forward pass",
    "auto_classes": ["AutoModelForSpeechSeq2Seq"],
    "inputs": ["audio", "decoder_tokens"],
    "item": "clip",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "argmax",
}
