"""What a module's forward takes: names, which of them it must be given, and what it says of itself."""

import inspect
from dataclasses import dataclass
from typing import Any

from exporters.seam import ExportUnsupported


@dataclass(frozen=True)
class Signature:
    """`names` in order; `required` have no default; `main` and `modalities` are transformers' words for the class."""

    names: tuple[str, ...]
    required: tuple[str, ...]
    main: tuple[str, ...]
    modalities: tuple[str, ...]


def signature_of(module: Any) -> Signature:
    """The signature of a module of transformers, as its class declares it; raises ExportUnsupported where it has no
    forward."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    taken = [each for each in inspect.signature(module.forward).parameters.values() if each.kind in kinds]
    if not taken:  # torch's own forward, which only raises
        who = type(module).__name__
        raise ExportUnsupported(f"{who} has no forward of its own: other code runs its parts, one after the other")
    main = getattr(module, "main_input_name", "input_ids")
    modalities = getattr(module, "input_modalities", "text")
    # Some classes list the alternatives of each place; the first of them will do.
    flat = [modalities] if isinstance(modalities, str) else modalities
    return Signature(
        names=tuple(each.name for each in taken),
        required=tuple(each.name for each in taken if each.default is each.empty),
        main=(main,) if isinstance(main, str) else tuple(main),
        modalities=tuple(each if isinstance(each, str) else each[0] for each in flat),
    )
