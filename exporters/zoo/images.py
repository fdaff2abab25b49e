"""Images as a user gives them: raw RGB bytes; and what makes a model's numbers of them, as its processor's config says.

They have the model's own size. In a page transformers.js resizes on a canvas, whatever `resample` says. The canvas of
Chromium and of Firefox cuts to whole numbers where PIL and torch round (half a step of 255 in the mean, which moved a
full ViT's scores by a tenth), and makes smaller without smoothing (up to 14 of 255 off): no tolerance could tell that
from a mistake.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from exporters.zoo.data import first_attribute, table
from exporters.zoo.inputs import Ask, image_size
from exporters.zoo.recipes import smooth

PROCESSOR = "preprocessor_config.json"
CHANNELS = 3
# What would change an image of the right size, and is not done here.
_NOT_HERE = ("do_center_crop", "do_pad", "do_thumbnail", "do_flip_channel_order", "do_crop_margin")


def write_processor(folder: Path, config: Any) -> None:
    """ViT's processor for the config's image size, where the model brings none; nothing where the config names none."""
    if first_attribute(config, table("rules")["inputs"]["image_size"]) is None:
        return
    height, width = image_size(config)
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True, "size": {"height": height, "width": width}, "resample": 2,
        "do_rescale": True, "rescale_factor": 1 / 255,
        "do_normalize": True, "image_mean": [0.5] * CHANNELS, "image_std": [0.5] * CHANNELS,
    }  # fmt: skip
    (folder / PROCESSOR).write_text(json.dumps(processor, indent=1) + "\n", "utf-8")


def raw_images(ask: Ask) -> tuple[Any, ...]:
    """One uint8 [height, width, 3] per item of the batch, smooth like pictures."""
    drawn = smooth(ask.random("raw images"), (ask.batch_size, CHANNELS), image_size(ask.config))
    pixels = np.clip(127.5 + 60 * drawn, 0, 255).astype(np.uint8)
    return tuple(np.ascontiguousarray(image) for image in pixels.transpose(0, 2, 3, 1))


def unprocessable(folder: Path, config: Any) -> str | None:
    """Why the images of this model cannot be processed here; None where they can."""
    path = folder / PROCESSOR
    if not path.is_file():
        return f"it brings no {PROCESSOR}"
    told = json.loads(path.read_text("utf-8"))
    if getattr(config, "num_channels", CHANNELS) != CHANNELS:
        return f"it takes {config.num_channels} channels, and users give RGB"
    if strange := [name for name in _NOT_HERE if told.get(name)]:
        return f"its processor's {', '.join(strange)} is not done here"
    size, (height, width) = told.get("size"), image_size(config)
    if told.get("do_resize", True) and size not in (height, {"height": height, "width": width}):
        return f"its processor's size {size} is not the model's, {height} × {width}"
    return None


def pixel_values(folder: Path, images: tuple[Any, ...]) -> Any:
    """float32 [batch, channels, height, width] of images that have the model's size."""
    told = json.loads((folder / PROCESSOR).read_text("utf-8"))
    pixels = np.stack(images).astype(np.float32)
    if told.get("do_rescale", True):
        pixels = pixels * np.float32(told.get("rescale_factor", 1 / 255))
    if told.get("do_normalize"):
        mean, std = (np.asarray(told[name], np.float32) for name in ("image_mean", "image_std"))
        pixels = (pixels - mean) / std
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
