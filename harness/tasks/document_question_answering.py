"""Question answering over a page’s image or layout."""

DESCRIBE = {
    "name": "document-question-answering",
    "title": "Question answering over a page’s image or layout",
    "auto_classes": ["AutoModelForDocumentQuestionAnswering"],
    "inputs": ["forward"],
    "item": "page",
    "length_default": 128,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
