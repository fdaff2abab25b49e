"""Extractive question answering: where the answer starts and ends."""

DESCRIBE = {
    "name": "question-answering",
    "title": "Extractive question answering: where the answer starts and ends",
    "auto_classes": ["AutoModelForQuestionAnswering"],
    "inputs": ["tokens"],
    "item": "sequence",
    "length_default": 128,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "argmax",
}
