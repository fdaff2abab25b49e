"""What the sections count with, on known numbers; and that every section is in the runner's list."""

from pathlib import Path

import onnx
import pytest

from harness.core.errors import HarnessError
from harness.core.events import Done, Event, Hello, Phase
from harness.core.nouns import PlannedRound
from tests.bench.ours import policy_of, warm_and_sample_s
from tests.bench.runner import SECTIONS, section_named
from tests.bench.section import below_aims, row
from tests.bench.sections import round_cost
from tests.bench.sections.loadgen import Overhead, overhead_in
from tests.bench.standins import Shape, write_graph
from tests.bench.watching import RoundClock, RoundWatcher
from tests.making import make_case

S = 1_000_000_000


def test_every_section_is_run_and_has_its_files_name() -> None:
    files = {path.stem for path in Path(round_cost.__file__).parent.glob("[!_]*.py")}
    assert files == set(SECTIONS)
    assert [section_named(name).name for name in SECTIONS] == list(SECTIONS)


def test_aims_are_met_below_them_only() -> None:
    below, at = {**row("a", 1.9), "aim": 2.0}, {**row("b", 2.0), "aim": 2.0}
    assert below_aims([below, row("no aim", 9.0)]) == (True, None)
    assert below_aims([below, at]) == (False, "b: 2, aim 2")
    assert below_aims([row("no aim", 9.0)]) == (None, None)


def test_the_bare_loop_warms_up_as_long_as_ours_must_at_least() -> None:
    assert warm_and_sample_s(policy_of(1.25)) == (0.5, 0.75)


def test_a_stand_in_is_a_sound_graph_with_the_layers_asked_for(tmp_path: Path) -> None:
    write_graph(tmp_path / "m.onnx", Shape(4, 7), seed=0)
    model = onnx.load(tmp_path / "m.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node].count("Tanh") == 7


def test_the_load_generators_summary_is_read_as_overhead() -> None:
    summary = {
        "Result is": "VALID",
        "50.00 percentile latency (ns)": "1005000",
        "QPS w/ loadgen overhead": "990.0990099",
    }
    found = overhead_in(summary)
    assert found == Overhead(pytest.approx(5.0), pytest.approx(10.0))  # type: ignore[arg-type]
    with pytest.raises(HarnessError, match="INVALID"):
        overhead_in({**summary, "Result is": "INVALID"})


def clock(browser: bool) -> RoundClock:
    """A Round of 10 s: hello at 2, work of 3 s until 6, its last word at 7, judged from 8 to 8.5."""
    events: list[tuple[float, Event]] = [
        (2.0, Hello(protocol=1, side="native", runtime={}, provenance={})),
        (2.0, Phase(phase="runtime", duration_ns=S // 2)),
        (4.0, Phase(phase="load", duration_ns=S)),
        (6.0, Phase(phase="sample", duration_ns=2 * S)),
        (7.0, Done(stopped_by="narrow")),
    ]
    calls = {"judge": [(8.0, 8.5)], "sync": [(8.5, 8.75)], "add": [(9.0, 9.5)]}
    if browser:
        calls |= {"launch": [(0.25, 0.75)], "open": [(0.25, 1.0)]}
    return RoundClock(PlannedRound(case=make_case(), number=2), 0.0, 10.0, events, calls)


@pytest.mark.parametrize("browser", [False, True])
def test_the_parts_of_a_round_add_up_to_what_it_costs_beyond_its_work(browser: bool) -> None:
    parts = round_cost.parts_s(clock(browser))
    assert sum(parts.values()) == pytest.approx(10 - 3)
    assert parts["between phases"] == pytest.approx(4 - 3)
    assert parts["start → hello"] == pytest.approx(0.5 if browser else 1.5)
    assert parts["end of process"] == pytest.approx(1.0)
    assert (parts.get("browser launch"), parts.get("page open")) == ((0.5, 0.25) if browser else (None, None))


def test_a_rounds_cost_is_over_the_good_rounds_but_the_first() -> None:
    first, failed = clock(browser=True), clock(browser=True)
    first.planned, first.ended_s = PlannedRound(case=make_case(), number=1), 30.0
    failed.trouble = "failed: it crashed"
    found = round_cost.row_of("page, process", [first, clock(True), clock(False), failed], ["not here"])
    assert (found["n"], found["value"], found["first_round_ms"]) == (2, pytest.approx(7_000), pytest.approx(27_000))
    assert found["parts"]["browser launch"] == pytest.approx(250), "a Round that launched none counts as zero"
    assert found["reasons"] == ["not here", "failed: it crashed"]
    assert round_cost.row_of("x", [first, failed], [])["value"] is None


def test_a_call_that_is_timed_is_the_real_one_and_becomes_itself_again() -> None:
    class Owner:
        def double(self, number: int) -> int:
            return 2 * number

    watcher, real = RoundWatcher(), Owner.double
    watcher.round_started(PlannedRound(case=make_case(), number=1), 1)
    with watcher.timing(Owner, "double"):
        assert Owner().double(4) == 8
    assert len(watcher.rounds[0].calls["double"]) == 1
    assert Owner.double is real
