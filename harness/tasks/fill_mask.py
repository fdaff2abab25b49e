"""Filling masked words: one score per word of the vocabulary."""

DESCRIBE = {
    "name": "fill-mask",
    "title": "Filling masked words: one score per word of the vocabulary",
    "auto_classes": ["AutoModelForMaskedLM"],
    "inputs": ["tokens"],
    "item": "sequence",
    "length_default": 128,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "argmax",
}
