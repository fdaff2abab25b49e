"""Keypoints that two images share."""

DESCRIBE = {
    "name": "keypoint-matching",
    "title": "Keypoints that two images share",
    "auto_classes": ["AutoModelForKeypointMatching"],
    "inputs": ["forward"],
    "item": "pair",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
