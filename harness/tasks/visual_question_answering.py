"""Question answering over an image."""

DESCRIBE = {
    "name": "visual-question-answering",
    "title": "Question answering over an image",
    "auto_classes": ["AutoModelForVisualQuestionAnswering"],
    "inputs": ["forward"],
    "item": "image",
    # A question; ViLT reads no more than 40 tokens.
    "length_default": 16,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
