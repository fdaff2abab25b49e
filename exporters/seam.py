"""The seam between the worker and the exporters: ONE FILE = ONE EXPORTER.

An exporter is a file in this folder that opens with a literal `DESCRIBE = {…}`, read without importing the file, since
an exporter may name an environment (`"environment"`) other than the one that reads it. It has one of three:

    export(job: Job) -> Product                      all of it
    make(subject: Subject, path: Path, variant: str) -> tuple[str, ...]
                                                     only the graph of a module that is in `subject.hf`, with notes;
                                                     `VARIANTS` names the ways it can, in the order to try them
    "tries" in DESCRIBE                              the names of exporters of the second kind, to be tried in order

The second and the third are run by `exporters/attempts.py`, which makes the rest of the Artifact
(`exporters/subject.py`), checks the graph, and tries one after the other.
"""

import ast
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import Field

from harness.core.nouns import ArtifactRequest, Frozen, Graph, Lack

FOLDER = Path(__file__).parent


class ExportFailed(Exception):
    """What was asked for could not be exported; `code` is for programs, the text is one sentence for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class ExportUnsupported(Exception):
    """This exporter, or this machine, cannot do it; the text is the reason."""


class Limits(Frozen):
    """What one step may take, a build with its forward pass or an attempt at a graph; null: no limit."""

    seconds: float | None = None
    bytes: int | None = Field(default=None, description="private written memory, that of the imports included")


class ExportCall(Frozen):
    """What the verb `export` reads from stdin; `out` is an empty folder that exists, `base` that of the fp32 Artifact
    where another precision is asked for."""

    request: ArtifactRequest
    out: str
    digest: str
    base: str | None = None
    limits: Limits = Limits()
    environments: dict[str, str] = Field(
        default_factory=dict, description="environment of an exporter, other than this one → its Python"
    )


@dataclass(frozen=True)
class Job:
    """One export: what is asked for, the folder to write into, and where to say how it goes."""

    request: ArtifactRequest
    out: Path
    digest: str
    say: Callable[[str], None]
    base: Path | None = None
    limits: Limits = field(default_factory=Limits)
    environments: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """A module in `hf`, what it is given and what it must give: numpy arrays by name, in order. It lies in a folder, so
    that an exporter in another environment reads it as well."""

    hf: Path
    module: str  # Python's, where the class is
    built_by: str
    task: str
    trusted: bool
    inputs: dict[str, Any]
    expected: dict[str, Any]

    def save(self, folder: Path) -> None:
        import numpy as np

        folder.mkdir(parents=True)
        told = {"hf": str(self.hf), "module": self.module, "built_by": self.built_by, "task": self.task}
        names = {"inputs": list(self.inputs), "expected": list(self.expected)}
        (folder / "subject.json").write_text(json.dumps({**told, "trusted": self.trusted, **names}), "utf-8")
        for role, arrays in (("inputs", self.inputs), ("expected", self.expected)):
            # Numbered, since names of outputs may be none for a file.
            np.savez(folder / f"{role}.npz", **{str(number): array for number, array in enumerate(arrays.values())})

    @classmethod
    def read(cls, folder: Path) -> "Subject":
        import numpy as np

        told = json.loads((folder / "subject.json").read_text("utf-8"))
        for role in ("inputs", "expected"):
            with np.load(folder / f"{role}.npz", allow_pickle=False) as arrays:
                told[role] = {name: arrays[str(number)] for number, name in enumerate(told[role])}
        return cls(**{**told, "hf": Path(told["hf"])})


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
    versions: dict[str, str] = field(default_factory=dict)  # of what else made it, as the Artifact it is made from
    exporter: str | None = None  # which one made the graph, where it is not the one that was asked for
    lacks: dict[str, Lack] = field(default_factory=dict)


def exporters(folder: Path = FOLDER) -> dict[str, tuple[str, dict[str, Any]]]:
    """Every exporter: name → (module, its DESCRIBE)."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        describe = read_describe(path)
        if describe is not None:
            found[str(describe["name"])] = (f"exporters.{path.stem}", describe)
    return found


def load(name: str) -> tuple[ModuleType, dict[str, Any]]:
    """The exporter's module and its DESCRIBE; raises ExportFailed for an unknown name, ExportUnsupported when a
    package that it needs is absent."""
    known = exporters()
    if name not in known:
        raise ExportFailed("unknown_exporter", f"no exporter {name!r}; there are {', '.join(sorted(known))}")
    module, describe = known[name]
    absent = [package for package in describe["packages"] if not versions([package])]
    if absent:
        raise ExportUnsupported(f"exporter {name} needs {', '.join(absent)}, which this environment does not have")
    return import_module(module), describe


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
