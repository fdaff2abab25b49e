"""Audio and text to text, one forward pass."""

DESCRIBE = {
    "name": "audio-text-to-text",
    "title": "Audio and text to text, one forward pass",
    "auto_classes": [
        "AutoModelForMultimodalLM",
        "AutoModelForSpeechSeq2Seq",
        "AutoModelForSeq2SeqLM",
        "AutoModelForCausalLM",
    ],
    "inputs": ["forward"],
    "item": "sequence",
    "length_default": 128,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
