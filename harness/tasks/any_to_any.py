"""Several modalities to text, one forward pass."""

DESCRIBE = {
    "name": "any-to-any",
    "title": "Several modalities to text, one forward pass",
    "auto_classes": ["AutoModelForMultimodalLM", "AutoModelForImageTextToText"],
    "inputs": ["forward"],
    "item": "sequence",
    "length_default": 128,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
