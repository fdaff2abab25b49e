"""What the base model gives, whatever it takes."""

DESCRIBE = {
    "name": "features",
    "title": "What the base model gives, whatever it takes",
    "auto_classes": ["AutoModel"],
    "inputs": ["forward"],
    "item": "item",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
