"""The parts of diffusers' pipelines: denoisers, ControlNets, autoencoders. Name → module, tiny or full size; inputs.

`diffusion.json` says which there are, with the published configs, and the rules that make a config tiny and give each
argument of `forward` its shape. The text encoders of these pipelines are transformers' own architectures.
"""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import load_file

from exporters.quiet import quiet
from exporters.seam import ExportFailed
from exporters.zoo import weights
from exporters.zoo.data import table
from harness.core.calls import CALL_FILE, Call
from harness.core.nouns import Frozen

FAMILY = "diffusion"
LIBRARY = "diffusers"


class Part(Frozen):
    """An entry of `diffusion.json`."""

    built_by: str
    title: str
    task: str
    source: str = Field(description="hub id whose config this is, or `defaults`: those of the class")
    config: dict[str, Any] = Field(default_factory=dict)
    tiny: dict[str, Any] = Field(default_factory=dict, description="what the rules get wrong")
    inputs: dict[str, str] = Field(
        default_factory=dict, description="shapes that differ from the rules', or more inputs"
    )
    leave_out: tuple[str, ...] = Field(default=(), description="arguments that the class asks for and does not use")
    settings: dict[str, Any] = Field(default_factory=dict, description="as `Call.settings`, sizes by name")
    sizes: dict[str, dict[str, int]] = Field(default_factory=dict, description="word of a shape → scale → size")
    method: str = "forward"
    returns: tuple[str, ...] = ()
    modalities: tuple[str, ...]
    reason: str | None = Field(default=None, description="why something above is as it is")


@dataclass(frozen=True)
class Asked:
    """What a module and its inputs must fit; `length`: tokens of text per item, None for the part's own."""

    scale: str
    batch_size: int = 1
    length: int | None = None
    seed: int = 0


def names() -> tuple[str, ...]:
    """All parts, in the order of the table."""
    return tuple(table("diffusion")["architectures"])


def part_of(name: str) -> Part:
    """The entry of that name; raises ExportFailed `unknown_architecture`."""
    entries = table("diffusion")["architectures"]
    if name not in entries:
        raise ExportFailed("unknown_architecture", f"diffusers' parts have no {name!r}")
    return Part.model_validate(entries[name])


def describe() -> dict[str, dict[str, Any]]:
    """Name → the fields of `core.plugins.Architecture`, parameters not yet counted: seconds, nothing is built."""
    return {
        name: {
            "family": FAMILY,
            "task": part.task,
            "title": part.title,
            "built_by": part.built_by,
            "parameters": None,
            "main_input": next(iter(argument_shapes(part))),
            "modalities": list(part.modalities),
            "generates": False,
        }
        for name, part in ((name, part_of(name)) for name in names())
    }


def count_parameters(part: Part) -> int:
    """Of the full size, without allocating them; an encoder's do not count where only the decoder takes part."""
    with torch.device("meta"):
        module = _class_of(part.built_by)(**part.config)
    unused = tuple(table("diffusion")["rules"]["unused"].get(part.method, ()))
    return sum(each.numel() for name, each in module.named_parameters() if not name.startswith(unused))


def sized_config(part: Part, scale: str) -> dict[str, Any]:
    """The arguments of the class at `scale`; a tiny one also makes what the class would take as its default tiny."""
    if scale != "tiny":
        return dict(part.config)
    defaults = {
        key: parameter.default
        for key, parameter in inspect.signature(_class_of(part.built_by).__init__).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    whole = {**defaults, **part.config}
    return {**whole, **{key: _smaller(key, value) for key, value in whole.items()}, **part.tiny}


def build(name: str, asked: Asked) -> Any:
    """A module in float32 and eval mode, weights from the seed, that is called by flat named tensors."""
    part = part_of(name)
    config = sized_config(part, asked.scale)
    with quiet():
        module = weights.build(lambda: _class_of(part.built_by)(**config), asked.seed)
    _strengthen(module)
    return _bound(module, call_of(part, config, asked))


def call_of(part: Part, config: Mapping[str, Any], asked: Asked) -> Call:
    """How the part is called, its sizes filled in."""
    sizes = _sizes(part, config, asked)
    settings = {name: _filled_in(value, sizes) for name, value in part.settings.items()}
    return Call(library=LIBRARY, built_by=part.built_by, method=part.method, settings=settings, returns=part.returns)


def save(module: Any, folder: Path) -> None:
    """config.json, safetensors, and how it is called."""
    module.save_pretrained(str(folder), safe_serialization=True)
    (folder / CALL_FILE).write_text(module.harness_call.model_dump_json(indent=1) + "\n", "utf-8")


def load(folder: Path) -> Any:
    """The module in that folder, float32, eval mode, called as when it was saved; never from a pickle."""
    call = Call.model_validate_json((folder / CALL_FILE).read_text("utf-8"))
    cls = _class_of(call.built_by)
    # Not by from_pretrained: of a class that keeps parts in float32 (Wan's) it wants accelerate, whatever the type.
    module = cls.from_config(cls.load_config(str(folder)))
    state: dict[str, Any] = {}
    for file in folder.glob("*.safetensors"):
        state |= load_file(file)
    module.load_state_dict(state, assign=True)
    return _bound(module.eval(), call)


def make_inputs(name: str, module: Any, asked: Asked) -> dict[str, Any]:
    """Numpy arrays by flat name, in the order of the method's arguments."""
    part = part_of(name)
    config = dict(module.config)
    sizes, shapes = _sizes(part, config, asked), argument_shapes(part)
    if asked.length is not None and not any("text" in shape.partition(":")[0].split() for shape in shapes.values()):
        raise ExportFailed("no_length", f"{name} reads no text whose length could be given; leave --length out")
    made = {}
    for argument, shape in shapes.items():
        wanted, _, kind = shape.partition(":")
        whole = tuple(_size(word, config, sizes) for word in wanted.split())
        random = np.random.default_rng([asked.seed, crc32(argument.encode())])
        made[argument] = KINDS[kind or "normal"](random, whole, sizes)
    return made


def argument_shapes(part: Part) -> dict[str, str]:
    """Argument → its shape's words; what the method needs, by the rule for its name, and what the entry adds."""
    rules = table("diffusion")["rules"]["inputs"]
    method = getattr(_class_of(part.built_by), part.method)
    shapes: dict[str, str] = {}
    for name, parameter in inspect.signature(method).parameters.items():
        inner = [key for key in part.inputs if key == name or key.startswith(f"{name}__")]
        needed = parameter.default is inspect.Parameter.empty and name != "self" and name not in part.settings
        if inner:
            shapes |= {key: part.inputs[key] for key in inner}
        elif needed and name not in part.leave_out:
            if name not in rules:
                raise ExportFailed("no_input_rule", f"no rule gives {part.built_by}'s argument {name!r} a shape")
            shapes[name] = rules[name]
    return shapes


def _class_of(name: str) -> Any:
    import diffusers

    return getattr(diffusers, name)


def _bound(module: Any, call: Call) -> Any:
    call.bind(module)
    module.harness_call = call
    return module


def _smaller(name: str, value: Any) -> Any:
    """The value made tiny by what its name says: capped, or, of a list of widths, in proportion to the first."""
    rules = table("diffusion")["rules"]["tiny"]
    if isinstance(value, list | tuple) and name in rules["widths"]["names"] and value:
        first, least, most = value[0], rules["widths"]["first"], rules["widths"]["most"]
        return [min(most, max(least, least * each // first)) for each in value]
    if isinstance(value, list | tuple):
        by_length = rules["lists"].get(name, {})
        if str(len(value)) in by_length:
            return by_length[str(len(value))]
        return [_smaller(name, each) for each in value]
    cap = rules["caps"].get(name)
    number = isinstance(value, int) and not isinstance(value, bool)
    return min(value, cap) if cap is not None and number else value


def _sizes(part: Part, config: Mapping[str, Any], asked: Asked) -> dict[str, int]:
    """What the words of a shape mean that are not the config's; `sample_size` rules where a config has one."""
    sizes = {word: scales[asked.scale] for word, scales in table("diffusion")["rules"]["sizes"].items()}
    sample = config.get("sample_size")
    if isinstance(sample, int):
        sizes |= {"height": sample, "width": sample}
    sizes |= {word: scales[asked.scale] for word, scales in part.sizes.items()}
    return {**sizes, "batch": asked.batch_size, **({} if asked.length is None else {"text": asked.length})}


def _size(word: str, config: Mapping[str, Any], sizes: Mapping[str, int]) -> int:
    """A number, a word of `sizes`, an attribute of the config (`a|b`: the first that it has), `a*b`, or `a/3`."""
    if "/" in word:
        whole, _, parts = word.partition("/")
        return _size(whole, config, sizes) // int(parts)
    if "*" in word:
        return math.prod(_size(factor, config, sizes) for factor in word.split("*"))
    for choice in word.split("|"):
        value = int(choice) if re.fullmatch(r"\d+", choice) else sizes.get(choice, config.get(choice))
        if isinstance(value, list | tuple):
            value = value[0]
        if value is not None:
            return int(value)
    raise ExportFailed("no_size", f"neither the config nor the rules have a size {word!r}")


def _filled_in(value: Any, sizes: Mapping[str, int]) -> Any:
    """`$height` becomes its number; `{"per_item": x}` one x for each item of the batch."""
    if isinstance(value, str) and value.startswith("$"):
        return math.prod(sizes[word] for word in value[1:].split("*"))
    if isinstance(value, dict) and set(value) == {"per_item"}:
        return [_filled_in(value["per_item"], sizes)] * sizes["batch"]
    if isinstance(value, list):
        return [_filled_in(each, sizes) for each in value]
    return value


def _strengthen(module: Any) -> None:
    """Give layers a gain of about one (torch's own is 0.58): else gates of gates leave nothing of a text."""
    gain = table("diffusion")["rules"]["gain"]
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, (torch.nn.Linear, torch.nn.Conv2d)):
                part.weight.mul_(gain)


def _grid(random: np.random.Generator, shape: tuple[int, ...], sizes: Mapping[str, int]) -> Any:
    """Positions [tokens, axes] (or with the batch before) of an image's patches: row and column in the 2 axes before
    the last unused ones."""
    tokens, axes = shape[-2:]
    places = np.zeros((tokens, axes), dtype=np.float32)
    places[:, 1] = np.arange(tokens) // sizes["width"]
    places[:, 2] = np.arange(tokens) % sizes["width"]
    return np.broadcast_to(places, shape).copy()


KINDS: dict[str, Callable[[np.random.Generator, tuple[int, ...], Mapping[str, int]], Any]] = {
    "normal": lambda random, shape, sizes: random.standard_normal(shape).astype(np.float32),
    "uniform": lambda random, shape, sizes: random.random(shape).astype(np.float32),
    # Of the 1000 steps that a schedule numbers.
    "step": lambda random, shape, sizes: random.integers(1, 999, shape),
    "step_float": lambda random, shape, sizes: random.integers(1, 999, shape).astype(np.float32),
    # What flow models call time: 0 to 1.
    "time": lambda random, shape, sizes: random.uniform(0.05, 0.95, shape).astype(np.float32),
    "guidance": lambda random, shape, sizes: np.full(shape, 3.5, dtype=np.float32),
    "pixels": lambda random, shape, sizes: np.full(shape, 512.0, dtype=np.float32),
    "class": lambda random, shape, sizes: random.integers(0, sizes["classes"], shape),
    "code": lambda random, shape, sizes: random.integers(0, sizes["codes"], shape),
    "place": lambda random, shape, sizes: random.integers(0, sizes["places"], shape),
    "range": lambda random, shape, sizes: np.broadcast_to(np.arange(shape[-1]), shape).copy(),
    "rate": lambda random, shape, sizes: np.full(shape, 16, dtype=np.int64),
    "mask": lambda random, shape, sizes: np.ones(shape, dtype=np.int64),
    "float_mask": lambda random, shape, sizes: np.ones(shape, dtype=np.float32),
    "bool_mask": lambda random, shape, sizes: np.ones(shape, dtype=np.bool_),
    "zeros": lambda random, shape, sizes: np.zeros(shape, dtype=np.float32),
    "grid": _grid,
    "cosine": lambda random, shape, sizes: np.cos(random.uniform(0, 6, shape)).astype(np.float32),
}
