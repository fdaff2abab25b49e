"""A cache of keys and values as flat tensors, named as optimum and transformers.js name them: what is given is
`past_key_values.N.key` and `.value`, what comes out `present.N.key` and `.value`; N counts the layers.

Whoever exports such a module and whoever runs it calls it here, so that both mean the same. Each is of the shape
[batch, key-value heads, tokens, head size].
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

GIVEN, MADE = "past_key_values", "present"
PARTS = ("key", "value")
_NAME = re.compile(rf"{GIVEN}\.(\d+)\.({'|'.join(PARTS)})")
Layers = list[tuple[Any, Any]]


def flat_past(layers: Layers, prefix: str = GIVEN) -> dict[str, Any]:
    """Name → tensor, in the order of the layers."""
    return {
        f"{prefix}.{n}.{part}": value for n, pair in enumerate(layers) for part, value in zip(PARTS, pair, strict=True)
    }


def split_past(given: Mapping[str, Any]) -> tuple[dict[str, Any], Layers]:
    """What is no cache, and the layers of the cache; none where there is none."""
    plain = {name: value for name, value in given.items() if not _NAME.fullmatch(name)}
    count = (len(given) - len(plain)) // len(PARTS)
    return plain, [(given[f"{GIVEN}.{n}.key"], given[f"{GIVEN}.{n}.value"]) for n in range(count)]


def call(module: Any, given: Mapping[str, Any], cache_of: Callable[[Layers], Any]) -> Any:
    """What the module returns; where it is given a cache, a mapping in which the cache that it made is flat.

    `cache_of` makes transformers' cache of layers; the module adds its token to it.
    """
    plain, layers = split_past(given)
    if not layers:
        return module(**plain)
    cache = cache_of(layers)
    returned = module(**plain, past_key_values=cache, use_cache=True)
    return {**returned, **flat_past([(layer.keys, layer.values) for layer in cache.layers], MADE)}
