"""Where the time goes: shares of the profiled wall time, and what the profiler itself cost."""

import pytest
from rich.console import Console

from harness.analyse.bottlenecks import bottlenecks
from harness.core.events import Operator, Profile
from harness.core.rounds import Round
from harness.show.bottlenecks import bottleneck_tables, profiles_as_json
from tests.show.test_show import point
from tests.store.made_up import case, round_of, samples

CASE = case()


def profiled(*operators: Operator, runs: int = 2) -> Round:
    """Two runs of 10 ms under the profiler, four of 8 ms without."""
    taken = (samples(8, 8, 8, 8, phase="unprofiled"), samples(9, 11, phase="profiled"))
    profile = Profile(source="a clock", runs=runs, operators=operators)
    return round_of(CASE, 1, samples=taken, purpose="profile", profile=profile)


MATMUL = Operator(operator="MatMul", device="cpu", count=8, self_ns=12_000_000)
SOFTMAX = Operator(operator="Softmax", device="CPU[0]", count=4, self_ns=4_000_000, fallback=True)


def test_shares_are_of_a_profiled_run() -> None:
    found = bottlenecks([round_of(CASE, 1, (1,)), profiled(SOFTMAX, MATMUL)])
    assert found is not None
    assert (found.wall_ms, found.plain_ms, found.operators_ms) == (10, 8, 8)
    assert (found.profiler_cost, found.seen_share) == (1.25, 0.8)
    first, second = found.operators
    assert (first.operator, first.calls, first.duration_ms) == ("MatMul", 4, 6)
    assert [first.share, second.share] == pytest.approx([0.6, 0.2])
    assert second.fallback and not first.fallback


def test_without_a_profile_there_is_none() -> None:
    assert bottlenecks([round_of(CASE, 1, (1,))]) is None
    assert bottlenecks([round_of(CASE, 1, (1,), purpose="profile", outcome="failed", code="x")]) is None
    wrong = profiled(MATMUL).model_copy(update={"outcome": "failed", "code": "wrong_output"})
    assert bottlenecks([wrong]) is None, "where the time of a wrong answer goes says nothing"


def test_what_does_not_fit_the_table_is_added_up_and_nothing_is_lost() -> None:
    many = [Operator(operator=f"Op{index}", device="cpu", count=2, self_ns=1_000_000) for index in range(20)]
    found = bottlenecks([profiled(*many)])
    assert found is not None
    shown, result = point("cpu")
    console = Console(width=120)
    with console.capture() as captured:
        console.print(bottleneck_tables([(shown, result)], {shown.case_id: found}))
    text = captured.get()
    assert "12 more" in text and "100.0%" in text and "1.25 times as long" in text
    told = profiles_as_json({"a": found})["a"]
    assert len(told["operators"]) == 20
