"""The lengths that inputs have, by name: of a config, of what is asked, or as no config says them (`recipes.json`)."""

import re
from collections.abc import Callable
from typing import Any

from exporters.zoo.data import table
from exporters.zoo.relations import evaluate, names_in
from exporters.zoo.tiny import nested_configs


def look_up(config: Any, what: str) -> Any:
    """The first attribute that means `what`, in the config, then in its parts, those of its own kind first; or None."""
    rule = table("recipes")["dims"][what]
    pattern = table("recipes")["parts"][rule["part"]]
    waiting = [config]
    while waiting:
        here = waiting.pop(0)
        for name in rule["attributes"]:
            value = vars(here).get(here.attribute_map.get(name, name))
            if value is not None and not isinstance(value, bool):
                return value
        parts = nested_configs(here)
        wanted = [each for name, each in parts.items() if re.search(pattern, name)]
        waiting = [*wanted, *waiting, *(each for each in parts.values() if each not in wanted)]
    return None


def length_of(config: Any, what: str) -> int:
    """The whole number that a config gives for `what`; the last (or, of lags, the largest) of a list."""
    value = look_up(config, what)
    if isinstance(value, list | tuple) and value and all(isinstance(part, int) for part in value):
        value = max(value) if what == "lags" else value[-1]
    is_length = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return value if is_length else int(table("recipes")["dims"][what]["otherwise"])


def shape_of(expressions: list[Any], ask: Any) -> tuple[int, ...]:
    """The lengths of an array; each is a number or an expression of names."""
    return tuple(each if isinstance(each, int) else _length(each, ask) for each in expressions)


def image_hw(ask: Any) -> tuple[int, int]:
    """Height and width of a picture in pixels."""
    said, rules = look_up(ask.config, "image_size"), table("recipes")["image"]
    if isinstance(said, list | tuple) and said and isinstance(said[-1], list | tuple):
        said = said[0]
    if isinstance(said, list | tuple) and len(said) >= 2:
        return int(said[-2]), int(said[-1])
    if isinstance(said, int) and said > 0:
        return said, said
    if _is_small(ask.module):
        return rules["tiny_side"], rules["tiny_side"]
    height, width = table("exceptions").get(ask.config.model_type, {}).get("image", [rules["side"], rules["side"]])
    return height, width


def _is_small(module: Any) -> bool:
    return bool(sum(each.numel() for each in module.parameters()) < table("recipes")["image"]["tiny_parameters"])


def _samples(ask: Any) -> int:
    """Of sound: half a second at 16 kHz for a tiny model, some seconds for one of full size."""
    rules = table("recipes")["audio"]
    return int(rules["tiny_samples"] if _is_small(ask.module) else rules["samples"])


def _spectrum_frames(ask: Any) -> int:
    """Ten seconds as CLAP's processor makes them; of a tiny model as many as its spectrum is wide."""
    return length_of(ask.config, "spectrum") if _is_small(ask.module) else table("recipes")["audio"]["spectrum_frames"]


def grid_side(ask: Any) -> int:
    """Patches per side of a picture that is given as patches: some that can be merged twice."""
    return int(table("recipes")["image"]["grid"]) * max(1, length_of(ask.config, "merge") // 2)


def _length(expression: str, ask: Any) -> int:
    own: dict[str, Callable[[], int]] = {
        "batch": lambda: ask.batch_size,
        "length": lambda: ask.length or 16,
        "height": lambda: image_hw(ask)[0],
        "width": lambda: image_hw(ask)[1],
        "grid": lambda: grid_side(ask),
        "samples": lambda: _samples(ask),
        "spectrum_frames": lambda: _spectrum_frames(ask),
    }
    values = {name: own[name]() if name in own else length_of(ask.config, name) for name in names_in(expression)}
    return evaluate(expression, values)
