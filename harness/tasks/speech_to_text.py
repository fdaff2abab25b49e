"""Speech recognition by encoder-decoders and transducers, one forward pass."""

DESCRIBE = {
    "name": "speech-to-text",
    "title": "Speech recognition by encoder-decoders and transducers, one forward pass",
    "auto_classes": ["AutoModelForSpeechSeq2Seq", "AutoModelForRNNT", "AutoModelForTDT"],
    "inputs": ["forward"],
    "item": "clip",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
