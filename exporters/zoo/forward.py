"""What a module's forward is given: found from its signature, what it says of itself, its config and `recipes.json`.

Where no config settles a shape, a parameter has several recipes. They are tried in order until the forward takes one.
"""

from collections.abc import Iterator
from itertools import islice, product
from typing import Any

import torch

from exporters.seam import ExportFailed
from exporters.zoo.data import table
from exporters.zoo.dims import look_up, shape_of
from exporters.zoo.placeholders import place
from exporters.zoo.recipes import make
from exporters.zoo.signature import Signature, signature_of


def forward_inputs(ask: Any, read: dict[str, Any]) -> dict[str, Any]:
    """Inputs by name; `read` are those that a tokenizer read. Raises ExportFailed `forward_…`."""
    signature = signature_of(ask.module)
    read = {name: array for name, array in read.items() if name in signature.names}
    wanted = _wanted(signature, ask)
    # A mask that says that all of something counts may be left out, and is, where the forward takes none of this shape.
    fewer = [name for name in wanted if name in signature.required or not name.endswith("_mask")]
    failures: list[Exception] = []
    for names, recipes in (pair for taken in (wanted, fewer) for pair in _tries(taken, signature, ask)):
        try:
            inputs = _made(ask, names, recipes, read)
            choices = [_recipes(name, signature, ask) for name in names]
            if all(len(each) == 1 for each in choices) and not _mixed(inputs):
                return inputs
            inputs = place(ask.module, inputs) if _mixed(inputs) else inputs
            with torch.no_grad():
                ask.module(**{name: torch.from_numpy(array.copy()) for name, array in inputs.items()})
        except Exception as error:  # whatever a shape that is not the module's ends in
            failures.append(error)
        else:
            return inputs
    said = str(failures[0]).strip().splitlines()
    raise ExportFailed("forward_failed", f"{type(failures[0]).__name__}: {said[0] if said else ''}") from failures[0]


def _tries(names: list[str], signature: Signature, ask: Any) -> Iterator[tuple[list[str], tuple[dict[str, Any], ...]]]:
    """The names with one recipe for each, in all combinations up to a limit."""
    choices = [_recipes(name, signature, ask) for name in names]
    return ((names, recipes) for recipes in islice(product(*choices), table("recipes")["most_tries"]))


def _mixed(inputs: dict[str, Any]) -> bool:
    """A text and something else with it."""
    return "input_ids" in inputs and bool(set(inputs) & set(table("recipes")["modality"]))


def _wanted(signature: Signature, ask: Any) -> list[str]:
    """Names in the order in which they are made and given."""
    has = set(signature.required) | set(signature.main)
    if "input_ids" in signature.main or "input_ids" in signature.required or signature.modalities != ("text",):
        says = set(signature.modalities)
        has |= {"input_ids"} if "text" in says else set()
        for name, modality in table("recipes")["modality"].items():
            if modality in says and not (modality == "video" and "image" in says) and _has_part(ask.config, modality):
                has.add(name)
    if "pixel_values" not in signature.names and "video" in signature.modalities:
        has.add("pixel_values_videos")
    takes = table("exceptions").get(ask.config.model_type, {}).get("takes", {})
    has = (has | set(takes.get("add", ()))) & set(signature.names)
    has |= {"encoder-decoder"} if ask.config.is_encoder_decoder else set()
    for name, recipes in table("recipes")["forward"].items():
        first = recipes[0] if isinstance(recipes, list) else recipes
        if name in signature.names and has & set(first.get("with", ())) and _recipes(name, signature, ask):
            has.add(name)
    has -= set(takes.get("drop", ()))
    known = [name for name in table("recipes")["forward"] if name in has]
    if unknown := [name for name in signature.required if name not in known]:
        raise ExportFailed("forward_no_rule", f"no rule makes {', '.join(unknown)} of {type(ask.module).__name__}")
    if not known:
        raise ExportFailed("forward_no_rule", f"no rule makes anything that {type(ask.module).__name__} takes")
    return known


def _has_part(config: Any, modality: str) -> bool:
    """A config that names a part for the modality and has None there is of a model without it."""
    name = "audio_config" if modality == "audio" else "vision_config"
    return name not in vars(config) or vars(config)[name] is not None


def _recipes(name: str, signature: Signature, ask: Any) -> list[dict[str, Any]]:
    """The recipes of a parameter whose conditions hold, in order."""
    recipes = table("recipes")["forward"][name]
    several = recipes if isinstance(recipes, list) else [recipes]
    fitting = [each for each in several if all(_holds(one, signature, ask) for one in each.get("needs", ()))]
    # A length of none is of something that this config does not have.
    return [each for each in fitting if each is fitting[-1] or 0 not in shape_of(each.get("shape", []), ask)]


def _holds(condition: str, signature: Signature, ask: Any) -> bool:
    if condition == "only video":
        return "video" in signature.modalities and "image" not in signature.modalities
    if condition == "frames counted":  # a class may call its frames images, and its config say how many they are
        return look_up(ask.config, "frames") is not None and "pixel_values_videos" not in signature.names
    if condition.endswith(" in config"):
        return getattr(ask.config, condition.removesuffix(" in config"), None) is not None
    return any(name in signature.names for name in condition.split("|"))


def _made(ask: Any, wanted: list[str], recipes: tuple[dict[str, Any], ...], read: dict[str, Any]) -> dict[str, Any]:
    made = dict(read)
    for name, recipe in zip(wanted, recipes, strict=True):
        if name not in made:
            made[name] = make(ask, recipe, made)
    return {name: made[name] for name in wanted}
