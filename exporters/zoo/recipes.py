"""How an input of a forward is made, by its kind. Which parameter is of which kind and shape is data (`recipes.json`).

A kind is a function of what is asked (an `inputs.Ask` with its module), the recipe, the array's shape, and the inputs
that are made so far.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from exporters.zoo.data import first_attribute, table
from exporters.zoo.dims import grid_side, image_hw, length_of, shape_of
from exporters.zoo.tiny import special_ids

Recipe = dict[str, Any]
Shape = tuple[int, ...]
Made = dict[str, Any]


def make(ask: Any, recipe: Recipe, made: Made) -> Any:
    """The array of a recipe."""
    shape = made[recipe["like"]].shape if "like" in recipe else shape_of(recipe.get("shape", []), ask)
    return KINDS[recipe["kind"]](ask, recipe, shape, made)


def random_ids(ask: Any, role: str, shape: Shape) -> Any:
    """Ids of the whole vocabulary but the special ones: a padding id, say, changes a model's positions."""
    vocabulary = length_of(ask.config, "vocabulary")
    special = np.array(sorted(each for each in special_ids(ask.config) if each < vocabulary), np.int64)
    return ask.random(role).choice(np.setdiff1d(np.arange(vocabulary, dtype=np.int64), special), size=shape)


def smooth(random: np.random.Generator, lead: tuple[int, ...], size: tuple[int, int]) -> Any:
    """A coarse grid of normal numbers, interpolated to `size`, with a little noise: more like a picture than noise."""
    grid = table("rules")["inputs"]["smooth_grid"]
    coarse = random.standard_normal((*lead, grid, grid))
    rows, columns = (_interpolation(grid, length) for length in size)
    fine = rows @ coarse @ columns.T + 0.1 * random.standard_normal((*lead, *size))
    return fine.astype(np.float32)


def _interpolation(grid: int, length: int) -> Any:
    """Matrix [length, grid] that interpolates linearly."""
    places = np.linspace(0, grid - 1, length)
    return np.stack([np.interp(places, np.arange(grid), unit) for unit in np.eye(grid)], axis=1)


def shifted(ids: Any, config: Any) -> Any:
    """What generation would begin with; the text follows one place later."""
    start = first_attribute(config, ["decoder_start_token_id", "bos_token_id", "pad_token_id"])
    return ids if start is None else np.concatenate([np.full_like(ids[:, :1], start), ids[:, :-1]], axis=1)


def _ids(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    return random_ids(ask, recipe.get("role", "tokens"), shape)


def _decoder_ids(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    return shifted(random_ids(ask, "decoder_tokens", shape), ask.config)


def _codes(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    return ask.random("codes").integers(0, 8, shape, dtype=np.int64)


def _smooth(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    lead, size = (shape[:-2], shape[-2:]) if len(shape) > 2 else (shape[:-1], (1, shape[-1]))
    return smooth(ask.random(recipe["role"]), lead, (size[0], size[1])).reshape(shape)


def _normal(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    return ask.random(recipe.get("role", "normal")).standard_normal(shape).astype(np.float32)


def _fraction(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    return ask.random("fraction").random(shape).astype(np.float32)


def _ones(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    return np.ones(shape, np.int64)


def _zeros(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    return np.zeros(shape, np.int64)


def _true(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    return np.ones(shape, np.bool_)


def _false(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    return np.zeros(shape, np.bool_)


def _fill(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    return np.full(shape, length_of(ask.config, recipe["value"]), np.int64)


def _first(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    """A mask of tiles of which only the first is there."""
    mask = np.zeros(shape, np.int64)
    mask[..., 0] = 1
    return mask


def _span(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    """A mask of the places of a text that are an image's."""
    mask = np.zeros(shape, np.int64)
    mask[:, 1 : 1 + length_of(ask.config, "image_places")] = 1
    return mask


def _grid(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    """Patches over time (one image), height and width, for each item of the batch."""
    side = grid_side(ask)
    return np.tile(np.array([1, side, side][-shape[1] :], np.int64), (shape[0], 1))


def _places(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    """Column and row of each patch."""
    rows, columns = np.divmod(np.arange(shape[1], dtype=np.int64), grid_side(ask))
    return np.tile(np.stack([columns, rows], axis=-1), (shape[0], 1, 1))


def _steps(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    return np.tile(recipe.get("first", 0) + np.arange(shape[1], dtype=np.int64), (shape[0], 1))


def _pools(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    """Numbers of patches, each in one pool."""
    return np.arange(np.prod(shape), dtype=np.int64).reshape(shape)


def _row(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    """The same lengths for each item of the batch."""
    return np.tile(np.array(shape_of(recipe["values"], ask), np.int64), (shape[0], 1))


def _placed_patches(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    """Patches with their row and column, which count from one, before their pixels."""
    patches = _smooth(ask, recipe, shape, made)
    patches[..., 0], patches[..., 1] = (1 + place for place in np.divmod(np.arange(shape[1]), grid_side(ask)))
    return patches


def _image_size(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    return np.tile(np.array([image_hw(ask)], np.int64), (shape[0], 1))


def _boxes(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    """Left, top, right, bottom, in thousandths of a page."""
    corners = ask.random("boxes").integers(0, 500, (*shape, 2), dtype=np.int64)
    return np.concatenate([corners, corners + 100], axis=-1)


def _mask_of(ask: Any, recipe: Recipe, shape: Shape, made: Made) -> Any:
    """Every frame of features counts. Frames are the axis that does not have the mel bins, of one frame or several."""
    features, bins = made[recipe["of"]], length_of(ask.config, "bins")
    of_frames = features.shape[-1] in (bins, bins * length_of(ask.config, "stacked"))
    axis = 1 if features.ndim < 3 or of_frames else -1
    return np.ones((features.shape[0], features.shape[axis]), np.int64)


KINDS: dict[str, Callable[[Any, Recipe, Shape, Made], Any]] = {
    "ids": _ids, "decoder_ids": _decoder_ids, "codes": _codes, "smooth": _smooth, "normal": _normal, "ones": _ones,
    "zeros": _zeros, "true": _true, "false": _false, "fill": _fill, "first": _first, "span": _span, "grid": _grid,
    "places": _places, "steps": _steps, "image_size": _image_size, "boxes": _boxes, "mask_of": _mask_of,
    "pools": _pools, "fraction": _fraction, "row": _row, "placed_patches": _placed_patches,
}  # fmt: skip
