"""Embeddings of pages, for search."""

DESCRIBE = {
    "name": "visual-document-retrieval",
    "title": "Embeddings of pages, for search",
    "auto_classes": ["AutoModelForPreTraining"],
    "inputs": ["forward"],
    "item": "page",
    "length_default": 128,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
