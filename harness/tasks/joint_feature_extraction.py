"""Features of text together with images, audio or layout."""

DESCRIBE = {
    "name": "joint-feature-extraction",
    "title": "Features of text together with images, audio or layout",
    "auto_classes": ["AutoModel"],
    "inputs": ["forward"],
    "item": "sequence",
    # CLIP's kind reads no more than 77 tokens, often 64: a line of text goes into all of them.
    "length_default": 16,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
