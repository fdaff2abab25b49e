"""Encoder-decoder, one forward pass."""

DESCRIBE = {
    "name": "text2text-generation",
    "title": "Encoder-decoder, one forward pass",
    "auto_classes": ["AutoModelForSeq2SeqLM"],
    "inputs": ["tokens", "decoder_tokens"],
    "item": "sequence",
    "length_default": 128,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "argmax",
}
