"""One step of a diffusion model: the noise, or the direction, that a noisy image, video or sound is told to lose."""

DESCRIBE = {
    "name": "denoising",
    "title": "One denoising step",
    "auto_classes": [],
    "inputs": ["forward"],
    "item": "step",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
