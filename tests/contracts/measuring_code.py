"""The code that measures and exports, in a form that says what it does and not how it is written; and what confirms it.

    python -m tests.contracts.measuring_code             what changed since it was last confirmed, and whom it concerns
    python -m tests.contracts.measuring_code --confirm   store today's forms and versions

Whoever changes such a file says which it is. Numbers (an exporter: bytes) can change: raise the version that it
concerns, then confirm. They cannot: confirm. The difference of `measuring_code.json` in the commit is that statement.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import catalog
from harness.core.digest import digest_of
from harness.steps.versions import MEASURING

CONFIRMED = Path(__file__).with_suffix(".json")
_PRINT_JS = Path(__file__).with_name("print_js.mjs")
# How a process or browser is started and asked for its memory, who judges what comes back, and what numbers become.
_BOTH_SIDES = (
    "execute/*.py", "processes/*.py", "metrics/*.py", "measure/artifacts.py", "measure/assemble.py",
    "measure/attached.py", "measure/energy.py", "measure/host.py", "measure/results.py", "measure/usage.py",
    "measure/verify.py", "core/clocks.py", "core/rounds.py", "core/statistics.py",
)  # fmt: skip
# What an exporter uses of ours besides: names of tensors, calls of modules, the digest of a model's files.
_EXPORTING = ("core/calls.py", "core/content.py", "core/leaves.py", "core/past.py")
_SIDES = {"native": (catalog.ROOT / "native", (".py",)), "page": (catalog.PAGE_ROOT, (".js", ".html", ".json"))}
# Packages' versions are compared by name, types do not run, and the catalogue is a list of what could be exported.
_NOT_CODE = ("package.json", "package-lock.json", "tsconfig.json", "catalogue.json")
ADVICE = """
If numbers (of an exporter: bytes) can change, raise the version: of a side in harness/steps/versions.py (MEASURING), of
a backend or exporter in its DESCRIBE or backend.json. In either case then: python -m tests.contracts.measuring_code
--confirm"""


@dataclass(frozen=True)
class Code:
    """`versions`: name → the version as it stands; `forms`: path → digest of the normalised file."""

    versions: dict[str, int]
    forms: dict[str, str]


def as_it_stands() -> Code:
    """Read from the tree."""
    paths = sorted(_files())
    printed = printed_js([path for path in paths if path.suffix == ".js"])
    forms = {_name(path): digest_of(printed.get(path) or normalised(path)) for path in paths}
    return Code(versions(), forms)


def as_confirmed() -> Code:
    """Read from the stored file."""
    stored = json.loads(CONFIRMED.read_text("utf-8"))
    return Code(stored["versions"], stored["forms"])


def versions() -> dict[str, int]:
    """Every version that people raise: `native`, `page`, `backend NAME`, `exporter NAME`."""
    backends = {f"backend {backend.name}": backend.version for backend in catalog.backends().values()}
    exporters = {f"exporter {exporter.name}": exporter.version for exporter in catalog.exporters().values()}
    return MEASURING | backends | exporters


def concerned(name: str) -> list[str]:
    """The versions whose numbers or bytes a file can change."""
    path = catalog.ROOT / name
    if path.is_relative_to(catalog.ROOT / "exporters") or name in (f"harness/{each}" for each in _EXPORTING):
        own = catalog.read_describe(path) if path.suffix == ".py" else None
        if path.parent.name == "environments":
            return [f"exporter {each.name}" for each in catalog.exporters().values() if each.environment == path.stem]
        return [f"exporter {own['name']}"] if own else ["every exporter concerned"]
    for side, (root, _) in _SIDES.items():
        if path.is_relative_to(root):
            own_backend = next((part for part in map(_stem, path.relative_to(root).parts) if part in _backends()), None)
            return [f"backend {own_backend}" if own_backend else side]
    return list(_SIDES)


def changes(before: Code, now: Code) -> list[str]:
    """What is not as it was, a line each; empty where nothing is."""
    lines = [
        f"{name} {'changed' if name in before.forms and name in now.forms else 'came or went'}:"
        f" concerns {', '.join(concerned(name))}"
        for name in sorted(before.forms.keys() | now.forms.keys())
        if before.forms.get(name) != now.forms.get(name)
    ]
    return lines + [
        f"version of {name}: {before.versions.get(name, 'none')} → {now.versions.get(name, 'none')}"
        for name in sorted(before.versions.keys() | now.versions.keys())
        if before.versions.get(name) != now.versions.get(name)
    ]


def normalised(path: Path) -> Any:
    """A file without comments, docstrings and layout; of a page's script see `print_js.mjs`."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        return _tree(ast.parse(text))
    if path.suffix == ".json":
        read = json.loads(text)
        return {key: value for key, value in read.items() if key != "version"} if path.name == "backend.json" else read
    return " ".join(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL).split())


def _tree(node: Any) -> Any:
    """A syntax tree as lists. What is empty is left out, since versions of Python differ in which empty fields a node
    has; so is the version that a plug-in states, which is compared by itself."""
    if isinstance(node, list):
        return [_tree(each) for each in node]
    if isinstance(node, ast.Dict):
        kept = [(key, value) for key, value in zip(node.keys, node.values, strict=True) if not _is_version(key)]
        return ["Dict", [[_tree(key), _tree(value)] for key, value in kept]]
    if isinstance(node, ast.AST):
        fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, []) and name != "kind"}
        if _has_docstring(node):
            fields["body"] = fields["body"][1:]
        return [type(node).__name__, {name: _tree(value) for name, value in fields.items()}]
    return node if isinstance(node, str | int | bool | None) else repr(node)


def _is_version(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and key.value == "version"


def _has_docstring(node: ast.AST) -> bool:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return ast.get_docstring(node, clean=False) is not None


def _files() -> Iterator[Path]:
    for root, suffixes in (*_SIDES.values(), (catalog.ROOT / "exporters", (".py", ".json", ".txt"))):
        for path in root.rglob("*"):
            if path.suffix in suffixes and path.name not in _NOT_CODE and "node_modules" not in path.parts:
                yield path
    for pattern in (*_BOTH_SIDES, *_EXPORTING):
        yield from (catalog.ROOT / "harness").glob(pattern)


def printed_js(paths: list[Path]) -> dict[Path, str]:
    """Path → the script as TypeScript prints it from its syntax tree, without comments."""
    said = subprocess.run(
        ["node", str(_PRINT_JS), str(catalog.PAGE_ROOT), *map(str, paths)], capture_output=True, text=True, check=True
    )
    return dict(zip(paths, json.loads(said.stdout), strict=True))


def _backends() -> set[str]:
    return set(catalog.backends())


def _stem(part: str) -> str:
    return Path(part).stem


def _name(path: Path) -> str:
    return path.relative_to(catalog.ROOT).as_posix()


def _confirm() -> None:
    now = as_it_stands()
    lowered = [name for name, version in as_confirmed().versions.items() if now.versions.get(name, version) < version]
    if lowered:
        sys.exit(f"a version never goes down, since results of the higher one are stored: {', '.join(lowered)}")
    CONFIRMED.write_text(json.dumps({"versions": now.versions, "forms": now.forms}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    differences = changes(as_confirmed(), as_it_stands())
    sys.stdout.write("\n".join(differences or ["nothing changed"]) + "\n")
    if sys.argv[1:] == ["--confirm"]:
        _confirm()
    elif differences:
        sys.stdout.write(ADVICE.lstrip() + "\n")
