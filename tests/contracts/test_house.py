"""The rules of the house that no linter knows: caps, words, who prints, who exits, literal descriptions."""

import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FORBIDDEN_WORDS = ("Manager", "Handler", "Engine", "Helper", "Utils", "Common", "Base")


def tracked(*endings: str) -> list[Path]:
    said = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / line for line in said.stdout.splitlines() if line.endswith(endings) and (ROOT / line).is_file()]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def in_tests(path: Path) -> bool:
    return path.is_relative_to(ROOT / "tests")


def test_files_are_short() -> None:
    code = tracked(".py", ".js", ".mjs", ".sql")
    too_long = {str(path): lines(path) for path in code if lines(path) > (600 if in_tests(path) else 400)}
    assert not too_long
    ours = [lines(path) for path in code if not in_tests(path) and lines(path) > 0]
    assert statistics.median(ours) <= 120


def test_functions_are_short_and_take_few_parameters() -> None:
    found = []
    for path in tracked(".py"):
        for node in functions(path):
            assert node.end_lineno is not None
            parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = len([each for each in parameters if each.arg not in ("self", "cls")])
            if node.end_lineno - node.lineno >= 60 or (count > 6 and not in_tests(path)):
                found.append(f"{path.relative_to(ROOT)}:{node.name}")
    assert not found


def test_words_that_say_nothing_are_not_names() -> None:
    found = []
    for path in tracked(".py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found += [
                    f"{path.name}:{node.name}" for word in FORBIDDEN_WORDS if re.search(word + r"(?![a-z])", node.name)
                ]
    assert not found


def test_only_the_command_line_exits() -> None:
    """And what is a process of its own: the guard, and the fork that a zygote rehearses with."""
    processes = ROOT / "harness" / "processes"
    allowed = (ROOT / "harness" / "cli", processes / "guard.py", processes / "forking.py")
    found = []
    for path in (ROOT / "harness").rglob("*.py"):
        within = any(path.is_relative_to(place) for place in allowed)
        if not within and re.search(r"\b(sys\.exit|os\._exit)\(", path.read_text()):
            found.append(str(path.relative_to(ROOT)))
    assert not found


def test_architectures_are_data_not_code() -> None:
    pattern = re.compile(r"(model_type|architecture)\s*==\s*[\"']")
    folders = ("harness", "native", "exporters")
    found = [
        str(path) for folder in folders for path in (ROOT / folder).rglob("*.py") if pattern.search(path.read_text())
    ]
    assert not found


def test_inheritance_is_one_level() -> None:
    """A class of ours may inherit from a library's or from one of ours that inherits from none of ours."""
    parents: dict[str, list[str]] = {}
    for folder in ("harness", "native", "exporters"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    parents[node.name] = [base.id for base in node.bases if isinstance(base, ast.Name)]
    roots = {"Frozen", "HarnessError"}
    deep = [
        name
        for name, above in parents.items()
        for each in above
        if each in parents and set(parents[each]) & set(parents)
    ]
    assert set(deep) <= roots


@pytest.mark.parametrize(
    "folder", ["harness/tasks", "harness/metrics", "harness/browsers", "harness/imports", "native/backends"]
)
def test_a_plug_in_opens_with_its_literal_description(folder: str) -> None:
    for path in sorted((ROOT / folder).glob("[!_]*.py")):
        skipped = (ast.Expr, ast.Import, ast.ImportFrom)  # the docstring, and what a metric imports of our own
        first = next(node for node in ast.parse(path.read_text("utf-8")).body if not isinstance(node, skipped))
        assert isinstance(first, ast.Assign) and ast.unparse(first.targets[0]) == "DESCRIBE", path
        ast.literal_eval(first.value)
