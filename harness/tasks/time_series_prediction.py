"""Time series prediction."""

DESCRIBE = {
    "name": "time-series-prediction",
    "title": "Time series prediction",
    "auto_classes": ["AutoModelForTimeSeriesPrediction"],
    "inputs": ["forward"],
    "item": "series",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
