"""Feature extraction (embeddings)."""

DESCRIBE = {
    "name": "feature-extraction",
    "title": "Feature extraction (embeddings)",
    "auto_classes": ["AutoModel"],
    "inputs": ["tokens"],
    "item": "sequence",
    "length_default": 128,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
