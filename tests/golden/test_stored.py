"""Runs that were stored before: every verb that reads says of them today what it said then, and nothing is measured or
exported again. The archive and the answers are those of `stored_answers.py`."""

import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness import catalog
from harness.cli import harness
from harness.measure import machine
from harness.steps import reusing, versions
from tests.golden.stored_answers import COMMANDS, answer, unpack

STORED = Path(__file__).parent / "stored"
RUN = (
    "run", "--model", "bert", "--scale", "tiny", "--length", "16", "--hardware", "cpu,onnxruntime,wasm,cuda",
    "--precision", "fp32,int8", "--rounds", "3", "--budget", "600ms", "--quiet", "off", "--incremental", "--json",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the archive's `results`; the tests only read it."""
    return unpack(tmp_path_factory.mktemp("stored"))


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The machine and the packages of then, in a copy that may change: what is ours is today's."""
    unpack(tmp_path)
    monkeypatch.chdir(tmp_path)
    then = json.loads((STORED / "packages.json").read_text("utf-8"))
    monkeypatch.setattr(catalog, "installed_version", then["python_packages"].get)
    monkeypatch.setattr(catalog, "npm_version", then["npm_packages"].get)
    monkeypatch.setattr(platform, "python_version", lambda: then["python"])
    here = machine.fingerprint()
    monkeypatch.setattr(reusing, "fingerprint", lambda: {**here, "machine_id": then["machine_id"]})
    yield tmp_path


def told(*arguments: str) -> Any:
    done = CliRunner().invoke(harness, arguments, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return json.loads(done.stdout)


def differences(then: Any, now: Any, where: str = "") -> list[str]:
    """What is no longer said, a line each. A name that came since is no difference."""
    if isinstance(then, dict) and isinstance(now, dict):
        gone = [f"{where}/{key} is gone" for key in then.keys() - now.keys()]
        return gone + [
            line for key in then.keys() & now.keys() for line in differences(then[key], now[key], f"{where}/{key}")
        ]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [
            line
            for index, (a, b) in enumerate(zip(then, now, strict=True))
            for line in differences(a, b, f"{where}/{index}")
        ]
    return [] if then == now else [f"{where}: {then!r} → {now!r}"]


def assert_says_the_same(question: str, place: Path) -> None:
    then, now = (STORED / "answers" / question).read_text("utf-8"), answer(question, place)
    if question.endswith(".json"):
        assert not differences(json.loads(then), json.loads(now)), question
    else:
        assert now == then, question


@pytest.mark.parametrize("question", COMMANDS)
def test_a_verb_says_what_it_said(place: Path, question: str) -> None:
    assert_says_the_same(question, place)


def test_a_database_made_again_from_the_journal_says_the_same(there: Path) -> None:
    (there / "results" / "harness.duckdb").unlink()
    told("db", "rebuild", "--json")
    for question in COMMANDS:
        assert_says_the_same(question, there)


def test_nothing_is_measured_or_exported_again(there: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (there / "results" / "artifacts").rglob("artifact.json")}
    said = told(*RUN)
    assert said["exported"] == 0
    then = json.loads((STORED / "answers" / "run_incremental.json").read_text("utf-8"))
    assert not differences(then, said["cases"])
    # The artifacts of then are those that would be asked for now.
    exported = told("export", *RUN[1:9], "--json")
    assert exported["exported"] == 0 and len(before) == 4
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_raised_version_is_measured_again_on_its_side_only(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(versions.MEASURING, "page", 2)
    planned = told("plan", *RUN[1:])["cases"]
    again = {case["platform"]: case["measured_again"] for case in planned}
    assert again == {"cpu": None, "onnxruntime": None, "cuda": None, "wasm": "the measuring code changed"}
    assert all((case["reused_from"] is None) is (case["platform"] == "wasm") for case in planned)
