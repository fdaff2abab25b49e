"""What a model's name means. The one rule, in order:

1. it ends in `.onnx`, or starts with `.`, `/`, `~` or a drive letter: a **path** (an ONNX graph, or a folder that
   `from_pretrained` loads);
2. it holds one `/`: a **hub id** `organisation/name`, with `@revision` where one is wanted;
3. otherwise an **architecture** name from the catalogue, built from its config with random weights.

So `bert` is always the architecture and `./bert` always the folder; nothing depends on what happens to lie there.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness import catalog
from harness.core.content import files_loaded, identity_of, identity_of_unreadable
from harness.core.errors import UserMistake
from harness.core.nouns import Model
from harness.core.text import one_line
from harness.plan.selection import Selection

# The exporters' `inspect`. A hub id or folder, and a revision → {"architecture", "revision", "path", "weights_from"};
# the path of an .onnx → {"files"}: all that its numbers depend on.
Lookup = Callable[[str, str | None], Mapping[str, Any]]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?")


def is_path(name: str) -> bool:
    """Rule 1."""
    return (
        name.endswith(".onnx")
        or name.startswith((".", "/", "~", "\\"))
        or re.match(r"[A-Za-z]:[\\/]", name) is not None
    )


def resolve_model(name: str, selection: Selection, lookup: Lookup) -> Model:
    """The Model that a name means; raises UserMistake with the nearest match or the next step."""
    if is_path(name):
        path = local_path(name, "give an .onnx file, or a folder with config.json")
        return (
            _bare_graph(name, path, selection, lookup) if path.is_file() else _pretrained(name, path, selection, lookup)
        )
    if _HUB_ID.fullmatch(name):
        return _pretrained(name, None, selection, lookup)
    if name not in catalog.architectures():
        raise catalog.unknown("model", name, catalog.architectures())
    if selection.weights == "pretrained":
        raise UserMistake(
            "no_weights",
            f"{name!r} is an architecture name and has no pretrained weights",
            "give a hub id such as sentence-transformers/all-MiniLM-L6-v2, or leave --weights out",
        )
    family = catalog.architectures()[name].family
    return Model(
        name=name, kind="architecture", identity=name, architecture=name,
        weights="random", scale=selection.scale, layers=selection.layers, family=family,
    )  # fmt: skip


def local_path(name: str, hint: str) -> Path:
    """The absolute path of a file or folder that is there; raises UserMistake, also for what would never end."""
    try:
        path = Path(name).expanduser().absolute()
        there, readable = path.exists(), path.is_file() or path.is_dir()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL in it, the home of nobody
        message = f"{one_line(name, 100)!r} is no path here: {one_line(str(error), 100)}"
        raise UserMistake("no_such_file", message, hint) from error
    if not there:
        raise UserMistake("no_such_file", f"there is no {one_line(str(path))}", hint)
    if not readable:
        raise UserMistake("not_a_file", f"{one_line(str(path))} is a pipe or a device, not a file", hint)
    return path


def _bare_graph(name: str, path: Path, selection: Selection, lookup: Lookup) -> Model:
    if path.suffix != ".onnx":
        raise UserMistake("not_a_model", f"{path} is not an .onnx file", "give an .onnx file, or a folder")
    _refuse_changes(name, selection)
    try:
        files = [Path(file) for file in lookup(str(path), None)["files"]]
        identity = identity_of(path.parent, files)
    except UserMistake:
        # Not a readable graph: exporting it will say what is wrong, as this Case's outcome.
        identity = identity_of_unreadable(path)
    return Model(
        name=name, kind="onnx", identity=identity, architecture=None,
        path=str(path), weights="pretrained", family="graph",
    )  # fmt: skip


def _pretrained(name: str, folder: Path | None, selection: Selection, lookup: Lookup) -> Model:
    _refuse_changes(name, selection)
    if selection.weights == "random":
        raise UserMistake(
            "no_random", f"{name!r} has weights of its own", "for random weights give an architecture name"
        )
    hub_id, _, revision = name.partition("@") if folder is None else (str(folder), "", "")
    found = lookup(hub_id, revision or None)
    if folder is not None:
        identity = identity_of(folder, files_loaded(folder, selection.trust_remote_code))
    else:
        identity = f"{hub_id}@{found['revision'] or found['weights_from']}"
    known = catalog.architectures().get(found["architecture"])
    if found.get("remote_code") and known is None and not selection.trust_remote_code:
        raise UserMistake(
            "remote_code", f"{one_line(name, 100)!r} is defined by Python code of its own, which runs only if allowed",
            "read that code, then add --trust-remote-code",
        )  # fmt: skip
    return Model(
        name=name, kind="pretrained", identity=identity, architecture=found["architecture"], path=found["path"],
        revision=found["revision"], weights="pretrained", family=known.family if known else "unknown",
        trust_remote_code=selection.trust_remote_code,
    )  # fmt: skip


def _refuse_changes(name: str, selection: Selection) -> None:
    if selection.scale == "tiny":
        raise UserMistake(
            "tiny_pretrained", f"{name!r} has weights of its own and cannot be made tiny",
            "--scale tiny goes with architecture names",
        )  # fmt: skip
    if selection.layers is not None:
        raise UserMistake(
            "cut_pretrained", f"{name!r} has weights of its own, and layers that belong together",
            "--layers goes with architecture names",
        )  # fmt: skip
