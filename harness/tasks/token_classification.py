"""Token classification: one label per token."""

DESCRIBE = {
    "name": "token-classification",
    "title": "Token classification: one label per token",
    "auto_classes": ["AutoModelForTokenClassification"],
    "inputs": ["tokens"],
    "item": "sequence",
    "length_default": 128,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "argmax",
}
