"""Images against texts: how well each describes them."""

DESCRIBE = {
    "name": "zero-shot-image-classification",
    "title": "Images against texts: how well each describes them",
    "auto_classes": ["AutoModelForZeroShotImageClassification"],
    "inputs": ["forward"],
    "item": "image",
    # A label in a few words; CLIP reads no more than 77 tokens, SigLIP 64.
    "length_default": 16,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
