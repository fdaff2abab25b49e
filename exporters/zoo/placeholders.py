"""Images, videos and sounds in a text: as many placeholder tokens as the model makes features of them.

Nobody but the model knows how many. So it is asked: its forward is run until it compares features with tokens
(`get_placeholder_mask`) or has made features (`get_image_features` and the like), and is stopped there.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from exporters.zoo.data import first_attribute, table
from exporters.zoo.tiny import nested_configs

# What a model's comparison calls the features that it counts; of codes of pictures each number is one.
COUNTED = ("features", "embeds", "hidden_states", "image_ids")


class _Counted(Exception):
    """The forward was stopped: so many features of this modality."""

    def __init__(self, modality: str, count: int) -> None:
        super().__init__(f"{count} features of {modality}")
        self.modality, self.count = modality, count


def place(module: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs with placeholders before the text, once for each modality that the model has features of."""
    placed: dict[str, int] = {}
    while len(placed) < len(table("recipes")["placeholders"]):
        try:
            with torch.no_grad(), _watched(module, placed):
                module(**{name: torch.from_numpy(array.copy()) for name, array in inputs.items()})
        except _Counted as counted:
            placed[counted.modality] = counted.count
            inputs = _with_tokens(module.config, inputs, counted)
            continue
        except Exception:  # the caller's forward says what is wrong
            break
        break
    return inputs if placed else _place_by_tower(module, inputs)


def _place_by_tower(module: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The same for a forward that compares tokens with features before or without saying so: its encoder is asked."""
    for owner in module.modules():
        for modality, rules in table("recipes")["placeholders"].items():
            tower = getattr(owner, rules["tower"], None) if "tower" in rules else None
            if tower is None or token_of(module.config, modality) is None:
                continue
            made: list[Any] = []
            watch = tower.register_forward_hook(lambda _module, _given, output, made=made: made.append(output))
            try:
                with torch.no_grad():
                    module(**{name: torch.from_numpy(array.copy()) for name, array in inputs.items()})
                return inputs
            except Exception:  # expected where there are features and no tokens for them
                if made:
                    count = _rows(getattr(made[0], "last_hidden_state", made[0]), None)
                    return _with_tokens(module.config, inputs, _Counted(modality, count))
            finally:
                watch.remove()
    return inputs


def token_of(config: Any, modality: str) -> int | None:
    """The id of a modality's placeholder, of the config or of a part of it."""
    names = table("recipes")["placeholders"][modality]["tokens"]
    waiting = [config]
    while waiting:
        here = waiting.pop(0)
        token = first_attribute(here, names)
        if isinstance(token, int):
            return token
        waiting.extend(nested_configs(here).values())
    return None


def _with_tokens(config: Any, inputs: dict[str, Any], counted: _Counted) -> dict[str, Any]:
    ids = inputs["input_ids"]
    token = token_of(config, counted.modality)
    each = -(-counted.count // len(ids))
    if token is None or each == 0:
        return inputs
    rules = table("recipes")["placeholders"][counted.modality]
    longer = {
        "input_ids": token,
        "attention_mask": 1,
        "mm_token_type_ids": rules["type"],
        "token_type_ids": rules["type"],
    }
    # After the first token of the text, which many models want to be text.
    return {
        name: np.insert(array, [1] * each, longer[name], axis=1)
        if name in longer and array.ndim == 2 and array.shape == ids.shape
        else array
        for name, array in inputs.items()
    }


@contextmanager
def _watched(module: Any, placed: dict[str, int]) -> Iterator[None]:
    """Stop the forward where it has counted the features of a modality that has no placeholders yet."""
    replaced: list[tuple[Any, str]] = []
    masks = [each for each in module.modules() if hasattr(each, "get_placeholder_mask")]
    for owner in masks:
        owner.__dict__["get_placeholder_mask"] = _mask_watch(owner.get_placeholder_mask, placed)
        replaced.append((owner, "get_placeholder_mask"))
    if not masks:
        for owner in module.modules():
            for modality in table("recipes")["placeholders"]:
                name = f"get_{modality}_features"
                if hasattr(owner, name) and token_of(module.config, modality) is not None:
                    owner.__dict__[name] = _features_watch(getattr(owner, name), modality, placed)
                    replaced.append((owner, name))
    try:
        yield
    finally:
        for owner, name in replaced:
            owner.__dict__.pop(name, None)


def _mask_watch(original: Any, placed: dict[str, int]) -> Any:
    signature = inspect.signature(original)

    def watch(*arguments: Any, **named: Any) -> Any:
        given = signature.bind(*arguments, **named).arguments
        given = {**given, **given.pop("kwargs", {})}
        embeds = given.get("inputs_embeds")
        for name, value in given.items():
            if value is None or name == "inputs_embeds" or not name.endswith(COUNTED):
                continue
            modalities = list(table("recipes")["placeholders"])
            modality = next((each for each in modalities if name.startswith(each)), modalities[0])
            if modality not in placed:
                raise _Counted(modality, _rows(value, embeds.shape[-1] if embeds is not None else None))
        return original(*arguments, **named)

    return watch


def _features_watch(original: Any, modality: str, placed: dict[str, int]) -> Any:
    def watch(*arguments: Any, **named: Any) -> Any:
        made = original(*arguments, **named)
        if modality not in placed:
            raise _Counted(
                modality, _rows(getattr(made, "pooler_output", None) if hasattr(made, "keys") else made, None)
            )
        return made

    return watch


def _rows(features: Any, width: int | None) -> int:
    """Vectors in a tensor, or in all tensors of a list."""
    if isinstance(features, torch.Tensor) and not features.is_floating_point():
        return features.numel()
    if isinstance(features, torch.Tensor):
        return features.numel() // (width or features.shape[-1])
    return sum(_rows(each, width) for each in features if each is not None) if features is not None else 0
