"""A config with fewer hidden layers, all else as it is: a large architecture at its full width in little memory."""

from copy import deepcopy
from typing import Any

from exporters.zoo.data import table
from exporters.zoo.tiny import is_staged, moved_indices, nested_configs


def cut_layers(config: Any, count: int) -> Any:
    """A copy with at most `count` hidden layers in each part; which attributes say how many is data (`rules.json`)."""
    made = deepcopy(config)
    waiting = [made]
    while waiting:
        part = waiting.pop()
        _cut(part, count)
        waiting.extend(nested_configs(part).values())
    return made


def _cut(config: Any, count: int) -> None:
    """In place: the numbers of layers, what is listed by layer, and the layers that are named by number."""
    if any(is_staged(name, value) for name, value in vars(config).items()):
        return  # its depth is a size per stage, and what counts its layers counts stages
    before = deepcopy(config)
    names = {config.attribute_map.get(name, name) for name in table("rules")["hidden_layers"]}
    depths = {name: value for name in names if type(value := vars(config).get(name)) is int and value > count}
    listed = {
        name: value[:count]
        for name, value in vars(config).items()
        if isinstance(value, list | tuple) and depths and len(value) in depths.values()
    }
    for name, value in (dict.fromkeys(depths, count) | listed).items():
        setattr(config, name, value)
    for name, value in moved_indices(before, dict(vars(config))).items():
        setattr(config, name, value)
