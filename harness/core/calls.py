"""How a module is called that is not called by flat named tensors alone: data in the Artifact's `hf/` folder.

The parts of diffusers' pipelines take tensors within mappings and tuples, numbers that are no tensors, and an
autoencoder is asked to `encode` or `decode`. Whoever exports such a part and whoever runs it read the same Call, so
that both do the same.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from pydantic import Field

from harness.core.nouns import Frozen

CALL_FILE = "call.json"


class Call(Frozen):
    """A method, what it is given besides the tensors, and which of the attributes of its answer are the outputs."""

    library: str = Field(description="Python's package that has the class")
    built_by: str
    method: str = "forward"
    settings: dict[str, Any] = Field(default_factory=dict, description="arguments that are no tensors")
    returns: tuple[str, ...] = Field(default=(), description="paths of attributes of the answer that count; empty: it")

    def bind(self, module: Any) -> None:
        """Let `module(**tensors)` do what this Call says; the tensors' names are paths, as `mapping__name`, `tuple__0`.

        Set on the module itself and not around it: hooks, compilers and whoever looks at its class find what was
        there before.
        """
        original: Callable[..., Any] = getattr(module, self.method)

        def forward(**tensors: Any) -> Any:
            answer = original(**self.settings, **nested(tensors))
            parts = {path: attrgetter(path)(answer) for path in self.returns}
            # A tuple beside a lone tensor would not be seen: a lone tensor becomes a tuple as well.
            several = any(isinstance(part, (list, tuple)) for part in parts.values())
            return {path: _tuple(part) if several else part for path, part in parts.items()} or answer

        module.forward = forward


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """`{"a__b": x, "c__0": y, "c__1": z}` → `{"a": {"b": x}, "c": (y, z)}`; numbered parts in their numbers' order.

    No dots, which an output's path has: exporters want inputs whose names could be those of Python's parameters.
    """
    return {name: _closed(value) for name, value in tree_of(flat, "__").items()}


def tree_of(flat: Mapping[str, Any], separator: str) -> dict[str, Any]:
    """Paths → mappings in mappings, in the order of the paths."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *parts, last = path.split(separator)
        inner = tree
        for part in parts:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return tree


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _closed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if all(name.isdigit() for name in value):
        return tuple(_closed(value[name]) for name in sorted(value, key=int))
    return {name: _closed(inner) for name, inner in value.items()}
