"""Keypoints of an image: of anything in it, or of bodies."""

DESCRIBE = {
    "name": "keypoint-detection",
    "title": "Keypoints of an image: of anything in it, or of bodies",
    "auto_classes": ["AutoModelForKeypointDetection", "AutoModelForPoseEstimation"],
    "inputs": ["forward"],
    "item": "image",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
