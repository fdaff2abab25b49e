"""Text to speech or music, one forward pass."""

DESCRIBE = {
    "name": "text-to-audio",
    "title": "Text to speech or music, one forward pass",
    "auto_classes": ["AutoModelForTextToWaveform", "AutoModelForTextToSpectrogram", "AutoModelForSpeechSeq2Seq"],
    "inputs": ["forward"],
    "item": "clip",
    # A short sentence: the audio is what costs.
    "length_default": 16,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
