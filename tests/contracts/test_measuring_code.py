"""Every change of what measures or exports was called: numbers can change (a version was raised), or they cannot."""

from pathlib import Path
from typing import Any

import pytest

from tests.contracts.measuring_code import ADVICE, Code, as_confirmed, as_it_stands, changes, concerned, printed_js
from tests.contracts.measuring_code import normalised as form_of

PYTHON = '''
def wait(seconds: float) -> float:
    """How long."""
    # Twice, since the first is cold.
    return 2 * seconds
'''
SCRIPT = """
/** How long. */
export function wait(seconds) {
  // Twice, since the first is cold.
  return 2 * seconds;
}
"""


def test_what_measures_is_as_it_was_confirmed() -> None:
    found = changes(as_confirmed(), as_it_stands())
    assert not found, "\n".join(["what measures is not what was confirmed", *found, ADVICE])


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("How long.", "The time that it takes, in seconds.", True),
        ("# Twice, since the first is cold.", "# Why not.", True),
        ("2 * seconds", "(2  *  seconds)", True),
        ("2 * seconds", "3 * seconds", False),
        ("2 * seconds", "seconds * 2", False),
        ("def wait", "def sleep", False),
    ],
)
def test_a_python_file_is_what_it_does(tmp_path: Path, before: str, after: str, same: bool) -> None:
    path = tmp_path / "a.py"
    forms = []
    for text in (PYTHON, PYTHON.replace(before, after)):
        path.write_text(text)
        forms.append(form_of(path))
    assert PYTHON.replace(before, after) != PYTHON and (forms[0] == forms[1]) is same


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("How long.", "The time that it takes, in seconds.", True),
        ("// Twice, since the first is cold.", "", True),
        ("2 * seconds", "2  *  seconds", True),
        ("2 * seconds", "3 * seconds", False),
    ],
)
def test_a_script_is_what_it_does(tmp_path: Path, before: str, after: str, same: bool) -> None:
    paths = [tmp_path / "a.js", tmp_path / "b.js"]
    for path, text in zip(paths, (SCRIPT, SCRIPT.replace(before, after)), strict=True):
        path.write_text(text)
    forms = printed_js(paths)
    assert SCRIPT.replace(before, after) != SCRIPT and (forms[paths[0]] == forms[paths[1]]) is same


def test_the_version_that_a_plug_in_states_is_compared_by_itself(tmp_path: Path) -> None:
    for name, text in (
        ("a.py", 'DESCRIBE = {"name": "a", "version": 1}'),
        ("backend.json", '{"name":"a","version":1}'),
    ):
        path = tmp_path / name
        forms: list[Any] = []
        for version in ("1}", "2}"):
            path.write_text(text.replace("1}", version))
            forms.append(form_of(path))
        assert forms[0] == forms[1]
    before, raised = Code({"native": 1}, {}), Code({"native": 2}, {})
    assert changes(before, raised) == ["version of native: 1 → 2"]


@pytest.mark.parametrize(
    ("file", "versions"),
    [
        ("native/loop.py", ["native"]),
        ("native/backends/onnxruntime.py", ["backend onnxruntime"]),
        ("native/pytorch/options.py", ["backend pytorch"]),
        ("browser_assets/loop.js", ["page"]),
        ("browser_assets/run.html", ["page"]),
        ("browser_assets/backends/seam.js", ["page"]),
        ("browser_assets/backends/ort_web/tensors.js", ["backend ort_web"]),
        ("harness/execute/native.py", ["native", "page"]),
        ("harness/measure/verify.py", ["native", "page"]),
        ("exporters/to_onnx_torch.py", ["exporter torch"]),
        ("exporters/zoo/inputs.py", ["every exporter concerned"]),
        ("exporters/environments/optimum.txt", ["exporter optimum"]),
        ("harness/core/calls.py", ["every exporter concerned"]),
    ],
)
def test_it_is_said_which_version_a_file_concerns(file: str, versions: list[str]) -> None:
    before = as_confirmed()
    assert file in before.forms and concerned(file) == versions
    changed = Code(before.versions, {**before.forms, file: "another"})
    assert changes(before, changed) == [f"{file} changed: concerns {', '.join(versions)}"]


def test_what_only_shows_or_asks_is_none_of_it() -> None:
    assert not {"harness/show/table.py", "harness/plan/cases.py", "browser_assets/protocol.d.ts"} & set(
        as_confirmed().forms
    )
