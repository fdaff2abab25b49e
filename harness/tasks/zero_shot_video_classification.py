"""Videos against texts: how well each describes them."""

DESCRIBE = {
    "name": "zero-shot-video-classification",
    "title": "Videos against texts: how well each describes them",
    "auto_classes": ["AutoModel"],
    "inputs": ["forward"],
    "item": "video",
    # A label in a few words; X-CLIP reads no more than 77 tokens.
    "length_default": 16,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
