"""Pairs on known numbers."""

import asyncio
import math
import random

import pytest

from tests.bench.pairs import Pairs, Timed, judged, ratio_row


def test_the_ratio_is_the_geometric_mean_of_the_pairs_ratios() -> None:
    found = ratio_row("x", [1.0, 2.2, 4.84], [1.0, 2.0, 4.0])
    # Logarithms 0, L, 2L with L = ln 1.1: mean L, standard deviation L; Student's t with 2 degrees is 4.302653.
    half = 4.302653 * math.log(1.1) / math.sqrt(3)
    assert found["value"] == pytest.approx(1.1)
    assert found["low"] == pytest.approx(1.1 * math.exp(-half), rel=1e-6)
    assert found["high"] == pytest.approx(1.1 * math.exp(half), rel=1e-6)
    assert found["n"] == 3


def test_drift_that_both_sides_of_a_pair_share_leaves_no_trace() -> None:
    bare = [1.0, 3.0, 0.5, 10.0]
    found = ratio_row("x", [1.02 * each for each in bare], bare)
    assert found["value"] == found["low"] == found["high"] == pytest.approx(1.02)


@pytest.mark.parametrize(
    ("ratios", "overlaps", "within"),
    [
        ([1.0, 1.001, 0.999], True, True),
        ([1.0, 1.05, 0.96], True, False),
        ([1.02, 1.0201, 1.0199], False, False),
        ([0.98, 0.9801, 0.9799], False, False),
    ],
)
def test_the_band(ratios: list[float], overlaps: bool, within: bool) -> None:
    found = ratio_row("x", ratios, [1.0] * 3)
    assert (found["overlaps_band"], found["within_band"]) == (overlaps, within)
    met, why = judged([found])
    assert met is overlaps
    assert (why is None) is overlaps


def test_two_pairs_have_a_value_and_no_interval_and_decide_nothing() -> None:
    found = ratio_row("x", [1.0, 1.2], [1.0, 1.0])
    assert (found["value"], found["low"], found["overlaps_band"]) == (pytest.approx(1.1), None, None)
    assert judged([found])[0] is None
    assert judged([])[0] is None


def test_the_order_within_pairs_is_drawn_and_kept() -> None:
    order: list[str] = []

    async def side(name: str) -> Timed:
        order.append(name)
        return Timed({"ours": 2.0, "bare": 1.0}[name], 10, 5.0)

    pairs = Pairs()

    async def take() -> None:
        for _ in range(40):
            await pairs.take(lambda: side("ours"), lambda: side("bare"), random.Random(len(order)))

    asyncio.run(take())
    firsts = order[::2]
    assert [first == "ours" for first in firsts] == pairs.ours_first
    assert {"ours", "bare"} == set(firsts)
    assert pairs.row("x")["value"] == pytest.approx(2.0)
    assert pairs.first_row("x")["value"] == pytest.approx(1.0)


def test_a_pair_that_breaks_off_leaves_nothing() -> None:
    async def good() -> Timed:
        return Timed(1.0, 1, 1.0)

    async def bad() -> Timed:
        raise RuntimeError("broken")

    pairs = Pairs()
    for sides in ((good, bad), (bad, good)):
        with pytest.raises(RuntimeError):
            asyncio.run(pairs.take(*sides, random.Random(0)))
    assert pairs == Pairs()
