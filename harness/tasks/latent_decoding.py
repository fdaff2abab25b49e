"""The decoder of a diffusion pipeline's autoencoder: latents → image, video or sound."""

DESCRIBE = {
    "name": "latent-decoding",
    "title": "Decoding latents",
    "auto_classes": [],
    "inputs": ["forward"],
    "item": "latent",
    "length_default": None,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "none",
}
