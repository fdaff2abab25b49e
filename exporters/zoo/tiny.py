"""A config → the same with every size made tiny, by general rules over the attributes' names (`tiny.json`).

A size is capped, never raised. Lists of widths (one per stage) are divided instead, and then every width of that config
is, so that what was equal stays equal. What a config class derives from the rest, it derives again. Layers are
kept so that each kind is there once.
"""

import re
from dataclasses import fields
from functools import cache
from typing import Any

from exporters.zoo.data import table
from exporters.zoo.relations import related


def tiny_config(config: Any) -> Any:
    """A new config of the same class; nested configs too. Raises whatever the class raises about its values."""
    return _tiny(config, _special_ids(config))


def _tiny(config: Any, special: dict[str, int]) -> Any:
    named = table("exceptions").get(config.model_type, {})
    exceptions, keep = named.get("tiny", {}), named.get("keep", [])
    nested = {name: _tiny(part, special) for name, part in nested_configs(config).items()}
    given = _given(config)
    values = {name: nested.get(name, value) for name, value in given.items()}
    # What is kept whole does not say how the rest is divided.
    staged = any(is_staged(name, value) for name, value in given.items() if name not in keep)
    for name, value in given.items():
        if name not in nested and name not in keep:
            values[name] = _smaller(name, value, staged)
    values |= _layers(config, given, values)
    values |= moved_indices(config, values)
    values |= _sections(config, values)
    values |= {name: value for name, value in table("tiny")["values"].items() if vars(config).get(name)}
    vocabulary = values.get("vocab_size")
    values |= _tokens_inside(given, special, vocabulary if isinstance(vocabulary, int) else None)
    values |= exceptions
    values |= related(values, config.attribute_map, skip={*exceptions, *keep})
    made = type(config)(**values)
    for name, value in related(vars(made), config.attribute_map, skip={*exceptions, *keep}).items():
        setattr(made, name, value)
    return made


def nested_configs(config: Any) -> dict[str, Any]:
    """The configs that are attributes of this one, by attribute."""
    return {name: part for name, part in vars(config).items() if _is_config(part)}


def _is_config(value: Any) -> bool:
    return hasattr(value, "to_dict") and hasattr(value, "model_type")


def _given(config: Any) -> dict[str, Any]:
    """The values that the class is made from: without what it derives when nothing is said."""
    try:
        plain = type(config)()
    except Exception:  # a class that must be given something has no values of its own
        plain = None
    given = {}
    for field in fields(type(config)):
        if not field.init or field.name.startswith("_") or field.name not in vars(config):
            continue
        value = vars(config)[field.name]
        derived = field.default is None and value is not None and plain is not None
        if derived and not _has_sizes(value) and vars(plain).get(field.name) == value:
            continue
        given[field.name] = value
    # Backbones keep under other names what they are told to give.
    for name in ("out_features", "out_indices"):
        told = vars(config).get(f"_{name}")
        if told is not None and plain is not None and vars(plain).get(f"_{name}") != told:
            given[name] = told
    # What somebody gave it, though the class does not declare it.
    declared = {field.name for field in fields(type(config))} | set(vars(plain) if plain is not None else vars(config))
    return given | {
        name: value for name, value in vars(config).items() if name not in declared and not name.startswith("_")
    }


def _has_sizes(value: Any) -> bool:
    """A nested config, or a list of numbers: derived or not, what is in it must become tiny."""
    numbers = isinstance(value, list | tuple) and len(value) > 0 and all(_is_number(part) for part in value)
    return hasattr(value, "to_dict") or numbers


@cache
def kind_of(name: str) -> str | None:
    """What an attribute of this name counts; None where no rule knows it."""
    for pattern, kind in table("tiny")["names"]:
        if re.search(pattern, name):
            return str(kind)
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_staged(name: str, value: Any) -> bool:
    """A size per stage, which says that what is said once is a size too that others follow from."""
    stages = isinstance(value, list | tuple) and 1 < len(value) <= table("tiny")["most_stages"]
    return stages and kind_of(name) in ("width", "inner", "heads", "depth") and all(_is_number(part) for part in value)


def _smaller(name: str, value: Any, staged: bool) -> Any:
    """The value, made tiny by what its name says it counts."""
    kind = kind_of(name)
    cap = table("tiny")["caps"].get(kind)
    if isinstance(value, list | tuple):
        if kind in ("width", "inner", "depth", "image"):
            return type(value)(_smaller(name, part, staged=True) for part in value)
        return value
    if cap is None or not _is_number(value):
        return value
    if staged and kind in ("width", "inner"):
        divisor = table("tiny")["staged_divisor"]
        return value // divisor if value >= 2 * divisor and value % divisor == 0 else value
    return min(value, cap)


def _layers(config: Any, given: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Lists with an entry per layer, cut to layers that show each kind; and then so many layers."""
    depth_name = config.attribute_map.get("num_hidden_layers", "num_hidden_layers")
    depth, names = vars(config).get(depth_name), {field.name for field in fields(type(config))}
    if depth_name not in names or not _is_number(depth) or depth <= 2:
        return {}
    per_layer = {
        name: values.get(name, value)
        for name, value in vars(config).items()
        if name in names and isinstance(value, list | tuple) and len(value) == depth
    }
    if not per_layer:
        return {}
    kept = [0]
    for number in range(depth):
        row = [repr(value[number]) for value in per_layer.values()]
        seen = [{repr(value[other]) for other in kept} for value in per_layer.values()]
        if any(entry not in there for entry, there in zip(row, seen, strict=True)):
            kept.append(number)
    several = len(kept) > 1
    kept = sorted(kept if several else [0, 1])
    changed: dict[str, Any] = {depth_name: len(kept)}
    for name, value in per_layer.items():
        if several or name in given:
            changed[name] = [value[number] for number in kept]
    return changed


def moved_indices(config: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Lists of layers' numbers, moved into the layers that are left."""
    name = config.attribute_map.get("num_hidden_layers", "num_hidden_layers")
    depths = [name, "depth", "num_layers", "encoder_layers"]
    old = next((vars(config)[each] for each in depths if _is_number(vars(config).get(each))), None)
    new = next((values[each] for each in depths if _is_number(values.get(each))), None)
    changed: dict[str, Any] = {}
    if old is None or new is None or old <= new:
        return changed
    for each, value in values.items():
        if kind_of(each) != "layer numbers" or not isinstance(value, list | tuple):
            continue
        if all(_is_number(number) and -old <= number <= old for number in value):
            placed = [number if -new <= number < 0 else min(abs(number) * new // old, new - 1) for number in value]
            changed[each] = list(dict.fromkeys(placed))
            if each == "out_indices":
                # As many as before, since what reads them counts on it: then there are so many layers.
                changed |= {each: list(range(1, len(value) + 1)), "out_features": None}
                changed[name] = max(new, len(value))
    return changed


def _sections(config: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Parts of a head that a rotary embedding splits, in the share that the head became smaller by."""
    rope = vars(config).get("rope_parameters")
    rope = rope if isinstance(rope, dict) else {}
    # Where the config says none, the class may still take some, and then assumes those of full size.
    known = getattr(type(config), "ignore_keys_at_rope_validation", None) or ()
    key = next((key for key in (*rope, *known) if key.endswith("section")), None)
    old, new = _head_width(vars(config), config), _head_width(values, config)
    if key is None or not old or not new or old == new:
        return {}
    sections = list(rope.get(key) or table("tiny")["rotary_sections"])
    wanted = sum(sections) * new // old if rope.get(key) else int(new // 2 * rope.get("partial_rotary_factor", 1))
    made = [max(1, part * wanted // sum(sections)) for part in sections]
    for number in range(100):
        if sum(made) == wanted:
            break
        place = number % len(made)
        made[place] += 1 if sum(made) < wanted else -1 if made[place] > 1 else 0
    return {"rope_parameters": {**rope, key: made}}


def _head_width(values: dict[str, Any], config: Any) -> int | None:
    width = values.get(config.attribute_map.get("hidden_size", "hidden_size"))
    heads = values.get(config.attribute_map.get("num_attention_heads", "num_attention_heads"))
    if _is_number(values.get("head_dim")):
        return int(values["head_dim"])
    return width // heads if _is_number(width) and _is_number(heads) and width and heads else None


def _special_ids(config: Any) -> dict[str, int]:
    """Attribute → id, for all ids of the config and its parts: the same name is the same id everywhere."""
    rules = table("rules")["special_tokens"]
    names: set[str] = set()
    parts = [config]
    while parts:
        part = parts.pop()
        parts.extend(nested_configs(part).values())
        names |= {name for name in part.to_dict() if re.search(table("tiny")["special"], name)}
    others = sorted(names - set(rules))
    return {name: rules[name] for name in names if name in rules} | {
        name: -1 - number for number, name in enumerate(others)
    }


def _tokens_inside(given: dict[str, Any], special: dict[str, int], vocabulary: int | None) -> dict[str, Any]:
    """Ids that a tiny vocabulary does not have, moved inside: the usual ones to the front, the others to the end."""
    size = vocabulary if vocabulary is not None else table("tiny")["caps"]["vocabulary"]

    def inside(name: str, value: Any) -> Any:
        place = special[name]
        return value if not _is_number(value) or value < size else place if place >= 0 else size + place

    changed: dict[str, Any] = {}
    for name, value in given.items():
        if name in special and isinstance(value, list | tuple):
            changed[name] = list(dict.fromkeys(inside(name, part) for part in value))
        elif name in special and value is not None:
            changed[name] = inside(name, value)
    return changed


def special_ids(config: Any) -> set[int]:
    """Every id that means something else than text, of the config and its parts."""
    rule, found, parts = table("tiny")["special"], set(), [config]
    while parts:
        part = parts.pop()
        parts.extend(nested_configs(part).values())
        for name, value in vars(part).items():
            if re.search(rule, name):
                found |= {each for each in (value if isinstance(value, list | tuple) else [value]) if _is_number(each)}
    return found
