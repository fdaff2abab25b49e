"""Text recognition: letters of a line, or the cells of a table."""

DESCRIBE = {
    "name": "image-to-text",
    "title": "Text recognition: letters of a line, or the cells of a table",
    "auto_classes": ["AutoModelForTextRecognition", "AutoModelForTableRecognition"],
    "inputs": ["forward"],
    "item": "image",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
