"""A decision for a text."""

DESCRIBE = {
    "name": "decision",
    "title": "A decision for a text",
    "auto_classes": ["AutoModelForDecision"],
    "inputs": ["forward"],
    "item": "sequence",
    "length_default": 128,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
