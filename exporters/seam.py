"""The seam between the worker and the exporters: ONE FILE = ONE EXPORTER.

An exporter is a file in this folder that opens with a literal `DESCRIBE = {…}` and has one function
`export(job: Job) -> Product`. The literal is read without importing the file, because an exporter may name
an environment (`"environment"`) other than the one that reads it.
"""

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.core.nouns import ArtifactRequest, Frozen, Graph

FOLDER = Path(__file__).parent


class ExportFailed(Exception):
    """What was asked for could not be exported; `code` is for programs, the text is one sentence for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class ExportUnsupported(Exception):
    """This exporter, or this machine, cannot do it; the text is the reason."""


class ExportCall(Frozen):
    """What the verb `export` reads from stdin; `out` is an empty folder that exists, `base` that of the fp32 Artifact
    where another precision is asked for."""

    request: ArtifactRequest
    out: str
    digest: str
    base: str | None = None


@dataclass(frozen=True)
class Job:
    """One export: what is asked for, the folder to write into, and where to say how it goes."""

    request: ArtifactRequest
    out: Path
    digest: str
    say: Callable[[str], None]
    base: Path | None = None


@dataclass(frozen=True)
class PipelineProduct:
    """See `harness.core.nouns.PipelineCall`; images and answers are numpy arrays."""

    task: str
    expected: dict[str, Any]
    texts: tuple[str, ...] = ()
    images: tuple[Any, ...] = ()
    length: int | None = None


@dataclass(frozen=True)
class Product:
    """What an exporter hands back once its files lie in `job.out`; tensors are numpy arrays by name, in order."""

    weights_from: str
    reference: str
    inputs: dict[str, Any]
    expected: dict[str, Any]
    onnx: dict[str, Graph]
    opset: int | None = None
    built_by: str | None = None
    hf: str | None = None
    pipeline: PipelineProduct | None = None
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)  # of what made the Artifact that this one is made from


def exporters(folder: Path = FOLDER) -> dict[str, tuple[str, dict[str, Any]]]:
    """Every exporter: name → (module, its DESCRIBE)."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        describe = read_describe(path)
        if describe is not None:
            found[str(describe["name"])] = (f"exporters.{path.stem}", describe)
    return found


def load(name: str) -> tuple[Callable[[Job], Product], dict[str, Any]]:
    """The exporter's function and its DESCRIBE; raises ExportFailed for an unknown name, ExportUnsupported when a
    package that it needs is absent."""
    known = exporters()
    if name not in known:
        raise ExportFailed("unknown_exporter", f"no exporter {name!r}; there are {', '.join(sorted(known))}")
    module, describe = known[name]
    absent = [package for package in describe["packages"] if not versions([package])]
    if absent:
        raise ExportUnsupported(f"exporter {name} needs {', '.join(absent)}, which this environment does not have")
    export: Callable[[Job], Product] = import_module(module).export
    return export, describe


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def read_describe(path: Path) -> dict[str, Any] | None:
    """The literal DESCRIBE of a Python file, without running it; None where the file has none."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["DESCRIBE"]:
            value: dict[str, Any] = ast.literal_eval(node.value)
            return value
    return None
