"""Config → model: tiny or full size, random weights from a seed, or the weights of a checkpoint.

General rules over attribute names (`rules.json`) make a config tiny; what they get wrong for one architecture is
data with a reason (`exceptions.json`), never a branch here.
"""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedModel

from exporters.seam import ExportFailed, ExportUnsupported
from exporters.zoo.data import first_attribute, table
from exporters.zoo.registry import made_from
from exporters.zoo.signature import signature_of
from exporters.zoo.tiny import tiny_config
from exporters.zoo.weights import build


def default_config(architecture: str) -> Any:
    """transformers' default config of an architecture, with the zoo's exceptions; raises ExportFailed if unknown."""
    try:
        config = AutoConfig.for_model(architecture, **table("exceptions").get(architecture, {}).get("config", {}))
    except (ValueError, KeyError) as error:
        raise ExportFailed("unknown_architecture", f"transformers has no architecture {architecture!r}") from error
    labels = table("rules")["labels"]
    if hasattr(config, labels["where"]) and config.num_labels == 2:
        config.num_labels = labels["count"]
    return config


def sized_config(config: Any, scale: str) -> Any:
    """The config at `scale` (`tiny` or `full`), set up for one forward pass without a cache."""
    if scale == "tiny":
        config = tiny_config(config)
    return settled(config)


def settled(config: Any) -> Any:
    """The same config with the settings that hold for every model (`always`), nested configs included."""
    nested = (getattr(config, name, None) for name in type(config).sub_configs)
    for part in (config, *(child for child in nested if child is not None)):
        for name, value in table("rules")["always"].items():
            if hasattr(part, name):
                setattr(part, name, value)
    return config


def settle_random(config: Any, task: str) -> None:
    """What a task needs of a model whose weights are random (`random`), so that its answer can be checked at all."""
    rules = table("rules")["random"].get(task)
    if rules is None:
        return
    config.num_labels = rules["labels"]
    if hasattr(config, "initializer_range") and getattr(config, "hidden_size", None):
        config.initializer_range = rules["gain"] / config.hidden_size**0.5


def random_model(auto: Any, config: Any, seed: int) -> Any:
    """A module in float32 and eval mode whose weights follow from the seed.

    Raises ExportUnsupported for a class that needs an absent package or has no forward.
    """
    # A list of names is looked through where a class has several models; a config that was never saved has None.
    config.architectures = config.architectures or []
    # Eager attention where the class has it; the kind does not change the weights.
    try:
        module = build(lambda: made_from(auto, config, attn_implementation="eager", dtype=torch.float32), seed)
    except ImportError as error:
        raise ExportUnsupported(_package_of(error)) from error
    except ValueError as error:
        if "attention" not in str(error):
            raise
        module = build(lambda: made_from(auto, config, dtype=torch.float32), seed)
    signature_of(module)  # before it is saved and read back, since some can then not be read for the same reason
    return module


def load_model(
    cls: Any, folder: Path, config: Any | None = None, attention: str = "eager", trusted: bool = False
) -> Any:
    """A checkpoint's module in float32 and eval mode, from safetensors only; its own code runs only when `trusted`.

    `attention` is `eager`, or `default`: what its class takes when nothing is said, as users load it.

    Raises ExportFailed `missing_weights` when any weight would have been made up.
    """
    read = cls.from_pretrained
    if config is None and hasattr(cls, "checkpoint_config"):
        # A decision model's own way to read also finds a head that somebody keeps beside other weights, which no folder
        # that is written here has; and it takes the pair of a model and what was missing for the model.
        read = partial(PreTrainedModel.from_pretrained.__func__, cls)
    model, info = read(
        str(folder),
        config=config,
        attn_implementation=None if attention == "default" else attention,
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=trusted,
        local_files_only=True,
        output_loading_info=True,
    )
    mismatched = (entry if isinstance(entry, str) else entry[0] for entry in info.get("mismatched_keys", ()))
    missing = sorted({*info["missing_keys"], *mismatched})
    if missing:
        named = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        raise ExportFailed("missing_weights", f"checkpoint has no weights for {named} of {type(model).__name__}")
    return model.eval()


def check_length(model: Any, length: int | None) -> int | None:
    """The tokens per item: as asked, else as many as the model has positions; raises ExportFailed beyond those.

    Only models that look positions up have a limit; others carry the same attribute as mere advice.
    """
    limit = first_attribute(model.config, table("rules")["position_limits"])
    limit = limit if isinstance(limit, int) and limit > 0 else None  # -1 says that there is no limit
    looked_up = any(
        "pos" in name.rsplit(".", 1)[-1] and isinstance(module, torch.nn.Embedding)
        for name, module in model.named_modules()
    )
    if length is not None and isinstance(limit, int) and looked_up and length > limit:
        reason = f"length {length} is more than the {limit} positions of {type(model).__name__}"
        raise ExportFailed("length_too_long", reason)
    return length if length is not None else limit


def _package_of(error: ImportError) -> str:
    """The sentence of transformers that names the package which a class needs."""
    sentence = " ".join(str(error).split()).split(" but it was not found")[0]
    return sentence.split(". ")[0]
