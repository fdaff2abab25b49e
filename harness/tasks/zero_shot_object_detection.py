"""Detection of objects that a text names."""

DESCRIBE = {
    "name": "zero-shot-object-detection",
    "title": "Detection of objects that a text names",
    "auto_classes": ["AutoModelForZeroShotObjectDetection"],
    "inputs": ["forward"],
    "item": "image",
    # What OWL-ViT reads: 16 tokens.
    "length_default": 16,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
