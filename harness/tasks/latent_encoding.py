"""The encoder of a diffusion pipeline's autoencoder: image, video or sound → the distribution of its latents."""

DESCRIBE = {
    "name": "latent-encoding",
    "title": "Encoding into latents",
    "auto_classes": [],
    "inputs": ["forward"],
    "item": "input",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
