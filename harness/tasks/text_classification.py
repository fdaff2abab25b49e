"""Text classification: tokens in, one score per label out."""

DESCRIBE = {
    "name": "text-classification",
    "title": "Text classification",
    "auto_classes": ["AutoModelForSequenceClassification"],
    "inputs": ["tokens"],
    "item": "sequence",
    "length_default": 128,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "argmax",
}
