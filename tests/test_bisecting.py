"""The whole of a bisection on a fake executor: real runs, journals and database, no browser."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from harness.analyse.bisection import Bisection, Step
from harness.bisecting import Question, bisect, refuse_ambiguous
from harness.core.errors import UserMistake
from harness.core.events import Event, Failed, Refused
from harness.core.nouns import Case, Plan, PlannedCase, Policy
from harness.execute.executor import Assignment, FakeExecutor
from harness.export.request import digest_of_request, request_for
from harness.plan.version_range import VersionRange
from harness.show.bisection import answer_lines, bisection_as_json, step_line
from harness.steps.workplace import Workplace
from harness.store.query import run_query
from tests.making import good_round, make_artifact, make_case, write_outputs
from tests.test_pipeline import Silent

VERSIONS = ("1.26.0", "1.27.0", "1.28.0", "1.29.0", "1.29.1")
RIGHT = {"y": np.arange(6, dtype=np.float32).reshape(2, 3)}
Script = Callable[[Assignment], Sequence[Event]]


def case_of(version: str) -> Case:
    return make_case(platform="wasm", device="wasm", browser="chromium", runtime=f"onnxruntime-web@{version}")


def version_of(assignment: Assignment) -> str:
    return (assignment.case.runtime or "").rpartition("@")[2]


def taking(assignment: Assignment, milliseconds: float) -> list[Event]:
    outputs = [write_outputs(assignment.outputs_dir, name, RIGHT) for name in ("first", "last")]
    # Each Round a little off, and its Samples around it: nothing that is measured is exact.
    level = milliseconds * 1e6 * (1 + 0.004 * ((assignment.number * 7 + len(version_of(assignment))) % 5 - 2))
    return good_round(outputs, [round(level + 2_000 * (step % 7)) for step in range(40)])


def searched(tmp_path: Path, script: Script, missing: Sequence[str] = ()) -> tuple[Bisection, list[Step]]:
    """Versions as npm would have brought them, all but those that are `missing`."""
    for version in set(VERSIONS) - set(missing):
        folder = tmp_path / "cache" / "model-benchmark-harness" / "packages" / f"onnxruntime-web@{version}"
        folder.mkdir(parents=True)
    folder = tmp_path / "artifacts" / digest_of_request(request_for(case_of(VERSIONS[0])))
    folder.mkdir(parents=True)
    make_artifact(folder, RIGHT)
    heard: list[Step] = []

    @contextmanager
    def workplace() -> Iterator[Workplace]:
        yield Workplace(tmp_path / "t.duckdb", {"page": FakeExecutor(script)}, Silent())

    points = tuple(PlannedCase(case=case_of(version)) for version in VERSIONS)
    policy = Policy(rounds=20, quiet="off")
    question = Question(
        VersionRange("runtime", "onnxruntime-web", VERSIONS), Plan(cases=points, policy=policy), threshold=0.05
    )
    return asyncio.run(bisect(question, workplace, "harness bisect", heard.extend)), heard


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_slowdown_is_found_and_every_step_is_a_run_in_the_database(tmp_path: Path) -> None:
    found, heard = searched(tmp_path, lambda a: taking(a, 12 if version_of(a) >= "1.29.0" else 10))
    told = json.loads(json.dumps(bisection_as_json(found)))
    assert (told["kind"], told["change"]) == ("latency", "slower")
    assert (told["last_before"], told["first_after"], told["skipped"]) == ("1.28.0", "1.29.0", [])
    assert told["ratio"] == pytest.approx(1.2, rel=0.02) and told["ci95"][0] < 1.2 < told["ci95"][1]
    steps = [(step["version"], step["outcome"], step["ratio"]) for step in told["steps"]]
    assert steps == [
        ("1.26.0", "ok", None),
        ("1.29.1", "ok", pytest.approx(1.2, rel=0.02)),
        ("1.28.0", "ok", pytest.approx(1.0, rel=0.02)),
        ("1.29.0", "ok", pytest.approx(1.2, rel=0.02)),
    ]
    assert tuple(heard) == found.steps
    _, rows = run_query(tmp_path / "t.duckdb", "select run_id from runs order by started_at")
    assert [row[0] for row in rows] == list(dict.fromkeys(step["run_id"] for step in told["steps"]))
    assert "became slower (1.2" in told["text"] and "first seen in 1.29.0" in told["text"]
    assert "1.2" in step_line(found.steps[1])


def test_what_broke_is_seen_three_times_on_both_sides(tmp_path: Path) -> None:
    failed = [Failed(code="crashed", reason="SIGSEGV")]
    found, _ = searched(tmp_path, lambda a: failed if version_of(a) >= "1.28.0" else taking(a, 10))
    answer = found.answer
    assert (answer.kind, answer.change, answer.last_before, answer.first_after) == (
        "outcome", "broke", "1.27.0", "1.28.0",
    )  # fmt: skip
    assert answer.seen == (3, 3)
    _, rows = run_query(
        tmp_path / "t.duckdb",
        "select outcome, count(*) from rounds group by outcome order by outcome",
    )
    assert dict(rows) == {"failed": 4, "ok": 4}  # the two in between three times each, the ends once
    (first, *_) = answer_lines(found)
    assert first == (
        "broke between onnxruntime-web 1.27.0 (ok) and 1.28.0 (failed: crashed: SIGSEGV), first seen in 1.28.0"
    )


def test_a_version_that_cannot_be_fetched_is_stepped_around_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # no npm to fetch with
    script: Script = lambda a: [Refused(reason="no such operator")] if version_of(a) < "1.29.0" else taking(a, 10)  # noqa: E731
    found, _ = searched(tmp_path, script, missing=["1.28.0", "1.26.0"])
    told = bisection_as_json(found)
    assert (told["change"], told["last_before"], told["first_after"]) == ("mended", "1.27.0", "1.29.0")
    (skipped,) = told["skipped"]
    assert skipped["version"] == "1.28.0" and "npm is not installed" in skipped["why"]
    assert [one["version"] for one in told["passed_over"]] == ["1.26.0"] and told["ends"] == ["1.27.0", "1.29.1"]
    assert "It lies in one of 1.28.0, 1.29.0" in told["text"]


def test_where_nothing_differs_it_says_so_with_the_interval(tmp_path: Path) -> None:
    found, _ = searched(tmp_path, lambda a: taking(a, 10))
    told = bisection_as_json(found)
    assert told["kind"] is told["cannot_say"] is told["last_before"] is None and not told["undecided"]
    assert told["ci95"][0] <= 1 <= told["ci95"][1]
    assert len({step["run_id"] for step in told["steps"]}) == 1
    assert told["text"].startswith("nothing differs between onnxruntime-web 1.26.0 and 1.29.1 by 0.05 or more: ok")


@pytest.mark.parametrize(
    "cases",
    [
        [case_of(version) for version in VERSIONS[:-1]],
        [case_of(version).model_copy(update={"batch_size": size}) for version in VERSIONS for size in (1, 2)],
        [*(case_of(version) for version in VERSIONS), make_case()],
    ],
)
def test_a_selection_with_another_number_of_cases_is_refused(cases: list[Case]) -> None:
    plan = Plan(cases=tuple(PlannedCase(case=case) for case in cases), policy=Policy())
    with pytest.raises(UserMistake) as mistake:
        refuse_ambiguous(VersionRange("runtime", "onnxruntime-web", VERSIONS), plan)
    assert mistake.value.code == "not_one_case"
