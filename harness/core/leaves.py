"""What a module returns → tensors by name: the same names for whoever exports it and for whoever runs it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

# Half of float32's largest number. What lies beyond, or is infinite, a module has masked: it has no size.
MASKED = (2 - 2**-23) * 2.0**126


def named_tensors(returned: Any, is_tensor: Callable[[Any], bool], inputs: Collection[str]) -> dict[str, Any]:
    """The tensors at the top; where there are none, all nested ones by their path, as `a.0.b`; a lone one is `output`.

    So transformers' exporter names them, too. What is neither tensor, mapping nor sequence (a cache) is left out. One
    that is called like an input is `output.NAME`: in a graph a name is one tensor's.
    """
    if isinstance(returned, Mapping):
        pairs = list(returned.items())
    elif isinstance(returned, (list, tuple)):
        pairs = list(enumerate(returned))
    else:
        pairs = [("output", returned)]
    found = {str(name): value for name, value in pairs if is_tensor(value)}
    found = found or {path: leaf for name, value in pairs for path, leaf in _leaves(str(name), value, is_tensor)}
    return {f"output.{name}" if name in inputs else name: value for name, value in found.items()}


def _leaves(path: str, value: Any, is_tensor: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
    if is_tensor(value):
        yield path, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(f"{path}.{name}", inner, is_tensor)
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from _leaves(f"{path}.{number}", inner, is_tensor)
