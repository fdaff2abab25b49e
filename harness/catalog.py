"""Every plug-in, found by listing folders and read as data: nothing of what it describes is imported.

A Python plug-in opens with a literal `DESCRIBE = {…}`, read with `ast.literal_eval`; a page backend carries
`backend.json`. Metrics are the exception: they are ours, pure, and run in the conductor.
"""

import ast
import difflib
import importlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.core.errors import UserMistake
from harness.core.nouns import Case, Task
from harness.core.plugins import Architecture, Backend, Browser, Exporter
from harness.core.rounds import Round
from harness.core.text import one_line
from harness.imports import Foreign, Source

ROOT = Path(__file__).parent.parent
PAGE_ROOT = ROOT / "browser_assets"
# Of hundreds of names nobody reads more.
_MOST_LISTED = 60


@dataclass(frozen=True)
class Metric:
    """A pure function from Rounds to a number, with its unit and which way is better."""

    name: str
    title: str
    unit: str
    better: str
    compute: Callable[[Sequence[Round], Case], float | None]


@dataclass(frozen=True)
class Import:
    """A reader of another tool's results; `beside` names the files that it wants from the same folder."""

    name: str
    title: str
    beside: tuple[str, ...]
    recognise: Callable[[Any], bool]
    read: Callable[[Source], Foreign]


def read_describe(path: Path) -> dict[str, Any] | None:
    """The literal `DESCRIBE` of a Python file, without running it; None where the file has none."""
    for statement in ast.parse(path.read_text(encoding="utf-8"), filename=str(path)).body:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "DESCRIBE" for target in statement.targets
        ):
            found: dict[str, Any] = ast.literal_eval(statement.value)
            return found
    return None


def _described(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    pairs = ((path, read_describe(path)) for path in sorted(folder.glob("*.py")))
    return [(path, describe) for path, describe in pairs if describe is not None]


@cache
def tasks() -> dict[str, Task]:
    return {d["name"]: Task.model_validate(d) for _, d in _described(ROOT / "harness" / "tasks")}


@cache
def browsers() -> dict[str, Browser]:
    """A file may be `like` another one, and describe several `channels` of one product (our name → Playwright's)."""
    described = {d["name"]: d for _, d in _described(ROOT / "harness" / "browsers")}
    found = {}
    for own in described.values():
        whole = {**described.get(own.get("like", ""), {}), **own}
        whole.pop("like", None)
        channels = whole.pop("channels", None) or {whole["name"]: None}
        for name, channel in channels.items():
            more = {} if channel is None else {"name": name, "find": [{"channel": channel}]}
            found[name] = Browser.model_validate({**whole, **more})
    return found


@cache
def exporters() -> dict[str, Exporter]:
    return {d["name"]: Exporter.model_validate(d) for _, d in _described(ROOT / "exporters")}


@cache
def backends() -> dict[str, Backend]:
    """Native backends first, then page backends, each by name."""
    native = [Backend.model_validate(d) for _, d in _described(ROOT / "native" / "backends")]
    page = [
        Backend.model_validate_json(path.read_bytes())
        for path in sorted((PAGE_ROOT / "backends").glob("*/backend.json"))
    ]
    return {backend.name: backend for backend in (*native, *page)}


@cache
def metrics() -> dict[str, Metric]:
    found = {}
    for path, describe in _described(ROOT / "harness" / "metrics"):
        module = importlib.import_module(f"harness.metrics.{path.stem}")
        fields = {key: describe[key] for key in ("name", "title", "unit", "better")}
        found[describe["name"]] = Metric(**fields, compute=module.compute)
    return found


@cache
def imports() -> dict[str, Import]:
    """Readers of other tools' results."""
    found = {}
    for path, describe in _described(ROOT / "harness" / "imports"):
        module = importlib.import_module(f"harness.imports.{path.stem}")
        beside = tuple(describe["beside"])
        found[describe["name"]] = Import(describe["name"], describe["title"], beside, module.recognise, module.read)
    return found


@cache
def architectures() -> dict[str, Architecture]:
    """The catalogue made by `python -m exporters.worker describe --write`, for the pinned transformers."""
    return {
        name: Architecture.model_validate({"name": name, **entry})
        for name, entry in _catalogue()["architectures"].items()
    }


def fitting_tasks() -> dict[str, dict[str, str]]:
    """Architecture → every task that it can do → the class that does it; its own task first."""
    fits: dict[str, dict[str, str]] = _catalogue()["tasks"]
    return fits


@cache
def _catalogue() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ROOT / "exporters" / "catalogue.json").read_text(encoding="utf-8"))
    return read


def platforms() -> dict[str, list[Backend]]:
    """`--hardware` name → the backends that offer it, the default one first."""
    table: dict[str, list[Backend]] = {}
    for backend in backends().values():
        for platform in backend.platforms:
            table.setdefault(platform, []).append(backend)
    return table


def installed_version(package: str) -> str | None:
    """Version of an installed Python package, without importing it; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def npm_version(package: str) -> str | None:
    """Version of an npm package as it lies in the page's `node_modules`; None where it is not installed."""
    try:
        manifest = json.loads((PAGE_ROOT / "node_modules" / package / "package.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return str(manifest["version"])


def unknown(kind: str, name: str, known: Iterable[str]) -> UserMistake:
    """The error for a name that nobody knows, with the nearest that somebody does."""
    names = sorted(known)
    near = difflib.get_close_matches(name[:100], names, n=1, cutoff=0.5)
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names[:_MOST_LISTED])}{more}"
    return UserMistake(f"unknown_{kind}", f"there is no {kind} named {one_line(name, 100)!r}", hint)
