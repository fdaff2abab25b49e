"""What a module must give, in fp32 and eager; refused where it could not show that something else is wrong."""

from functools import partial
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from exporters.apart import as_ours
from exporters.checks import broken_numbers, disagreement, flat_numbers, insensitive
from exporters.seam import ExportFailed
from harness.core.leaves import named_tensors
from harness.core.past import call

Arrays = dict[str, Any]


def reference_of(module: Any, inputs: Arrays) -> tuple[Arrays, tuple[str, ...]]:
    """What the module gives (numpy arrays by name), and notes. The module is left with the attention that gave it.

    Raises ExportFailed `no_outputs`, `random_output`, `degenerate_output`, or `forward_failed`.
    """
    who = type(module).__name__
    expected, again = (_run(module, inputs, seed) for seed in (0, 1))
    if not expected:
        raise ExportFailed("no_outputs", f"{who} gives no tensor")
    if sentence := broken_numbers(expected):
        raise ExportFailed("degenerate_output", f"{who}: {sentence}, so no check could fail")
    if _difference(expected, again):
        raise ExportFailed("random_output", f"{who} draws random numbers: it gives others each time that it is run")
    expected, notes = _by_eager_attention(module, inputs, expected)
    flat = {name: flat_numbers({name: array}) for name, array in expected.items()}
    numbers = [name for name, array in expected.items() if array.dtype.kind == "f" and array.size]
    weak = [sentence for sentence in flat.values() if sentence]
    if numbers and all(flat[name] for name in numbers):
        raise ExportFailed("degenerate_output", f"{who}: {weak[0]}, so no check could fail")
    ignoring, said = _ignoring(module, inputs, expected)
    if ignoring:
        raise ExportFailed("degenerate_output", f"{who}: {ignoring}, so no check could fail")
    return expected, (*notes, *(f"{sentence}: a weak check" for sentence in weak), *said)


def kinds_of_attention(module: Any) -> set[str]:
    """Those that the module and its parts are set to; none where its library has no such choice."""
    return {kind for _, kind in _settings(module)}


def _settings(module: Any) -> list[tuple[Any, str]]:
    """Configs of the module and of its parts with their kinds of attention, the whole before its parts."""
    configs = {id(each.config): each.config for each in module.modules() if hasattr(each, "config")}
    kinds = ((config, getattr(config, "_attn_implementation", None)) for config in configs.values())
    return [(config, kind) for config, kind in kinds if kind is not None]


def _by_eager_attention(module: Any, inputs: Arrays, expected: Arrays) -> tuple[Arrays, tuple[str, ...]]:
    """Where a class takes sdpa and its eager attention gives other numbers, eager's are the reference: it is given its
    mask whole, where sdpa's is left out when nothing is padded (classes were seen whose text is then no longer causal).

    A class that takes eager and leaves sdpa to its parts stays as it is by default: what it gives them may be a mask
    that only sdpa understands.
    """
    before = _settings(module)
    named = " and ".join(sorted({kind for _, kind in before})) or "its own"
    own = getattr(module.config, "_attn_implementation", "eager")
    if own == "eager":
        return expected, (f"reference with {named} attention",)
    try:
        module.set_attn_implementation("eager")
        eager = _run(module, inputs, seed=0)
    except (ValueError, ExportFailed):  # a class that has no other kind, or does not run with it
        eager = expected
    if broken_numbers(eager):  # of a row that is masked whole, sdpa makes zeros and eager attention NaN
        eager = expected
    if sentence := _difference(eager, expected):
        said = f"{named} attention of this class is not its eager attention: {sentence}"
        return eager, ("reference with eager attention", said)
    for config, kind in before:  # not the class's own way, which gives every part the same and refuses what one lacks
        config._attn_implementation = kind
    return expected, (f"reference with {named} attention",)


def _ignoring(module: Any, inputs: Arrays, expected: Arrays) -> tuple[str | None, tuple[str, ...]]:
    """A sentence where no output depends on anything that the module is given; a note where none depends on what it is
    given besides integers: a picture beside a text."""
    floats = {name: 0.25 - array for name, array in inputs.items() if array.dtype.kind == "f"}
    integers = {name: np.roll(array, 1) for name, array in inputs.items() if array.dtype.kind != "f"}
    if not floats:
        return _indifferent(module, inputs | integers, expected), ()
    if _indifferent(module, inputs | floats, expected) is None:
        return None, ()
    sentence = _indifferent(module, inputs | floats | integers, expected)
    return sentence, () if sentence else (f"the outputs do not depend on {' or '.join(floats)}: a weak check",)


def _indifferent(module: Any, other: Arrays, expected: Arrays) -> str | None:
    try:
        return insensitive(expected, _run(module, other, seed=0))
    except ExportFailed:  # values that it cannot take tell nothing of those that it can
        return None


def tensors(arrays: Arrays) -> Arrays:
    """Copies as tensors of torch's."""
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def outputs_of(module: Any, given: Arrays, forward: Any = None) -> Arrays:
    """What the module gives, by name, as tensors; by way of `forward` where that has been replaced."""
    returned = call(forward or module, given, partial(DynamicCache, config=module.config))
    return named_tensors(returned, lambda value: isinstance(value, torch.Tensor), given)


def _run(module: Any, inputs: Arrays, seed: int) -> Arrays:
    torch.manual_seed(seed)
    with torch.no_grad(), as_ours(lambda: "forward_failed"):
        found = outputs_of(module, tensors(inputs))
    return {name: value.detach().numpy() for name, value in found.items()}


def _difference(want: Arrays, got: Arrays) -> str | None:
    """A sentence where they are not the same."""
    if set(want) != set(got):
        return "it gives other outputs"
    return disagreement(want, got)[1]
