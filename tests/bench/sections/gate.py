"""How often `harness check` cries wolf and what it lets pass: on made-up noise, and on this machine's own."""

import math
from collections.abc import AsyncGenerator, AsyncIterator

from harness.core.nouns import Decision
from harness.core.ratios import (
    LOOKS,
    RoundMedian,
    is_decided,
    is_regression,
    paired_ratio,
    round_median,
    unpaired_ratio,
    verdict_of,
)
from harness.core.statistics import LEAST_ROUNDS
from tests.analyse.simulated import Noise, alarms, gate
from tests.bench.ours import do_round, executor, per_run_ns, policy_of
from tests.bench.section import Bench, Findings, Row, Section, below_aims, row
from tests.bench.standins import isolated, stand_in

_THRESHOLD, _CONFIDENCE = 0.10, 0.98
_SIZE_MS, _SLICE_S = 5, 0.4
_MOST_TURNS = 20


def share(name: str, count: int, n: int, aim: float | None = None) -> Row:
    """A share with Wilson's 95 % interval, which is sane also where nothing was counted."""
    z = 1.96
    middle = (count + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(count * (n - count) / n + z * z / 4)
    return {**row(name, count / n, (max(0.0, middle - half), middle + half), n=n), "aim": aim}


async def measure(bench: Bench) -> AsyncGenerator[Findings, None]:
    done: list[Row] = []
    times = bench.times(10_000, 100)
    beside = gate(in_turn=False, controls=2)
    for what, how, slowdown, aim in (
        ("in turn: false alarms", gate(), 0.0, 0.01),
        ("in turn: 5 % found", gate(), 0.05, None),
        ("in turn: 10 % missed", gate(), 0.10, 0.05),
        ("beside 2 controls: false alarms", beside, 0.0, 0.01),
        ("beside 2 controls: 10 % found", beside, 0.10, None),
        ("beside 2 controls: 20 % found", beside, 0.20, None),
        ("alone: false alarms", gate(in_turn=False), 0.0, 0.01),
        ("alone: 30 % found", gate(in_turn=False), 0.30, None),
    ):
        found = round(alarms(how, slowdown, times, Noise(), bench.seed) * times)
        count = times - found if "missed" in what else found
        done.append(share(f"made up, {what}", count, times, aim))
        bench.say(f"gate: {what} {count} of {times}")
        yield Findings(done, *below_aims(done))
    async for rows in _on_this_machine(bench):
        yield Findings([*done, *rows], *below_aims([*done, *rows]))


async def _on_this_machine(bench: Bench) -> AsyncIterator[list[Row]]:
    """The same point against itself: three Rounds and three more, some 3 s in all; a suspect in turn, as `check` does.

    Beside it what `compare` says of three pairs at 95 %, where 1 in 20 may be called different.
    """
    decision = Decision(kind="regression", size=_THRESHOLD, confidence=_CONFIDENCE)
    total, suspects, alarmed, told = bench.times(100, 2), 0, 0, 0
    stand = isolated(await stand_in(bench, "native", _SIZE_MS), "zygote")
    policy = policy_of(_SLICE_S)
    async with executor("native") as real:

        async def one(turn: int) -> RoundMedian:
            heard = await do_round(real, stand.case, stand.artifact, stand.folder, policy)
            return round_median(turn, per_run_ns(heard))

        for number in range(1, total + 1):
            rounds = [await one(turn) for turn in (1, 1, 2, 2, 3, 3)]
            pairs = paired_ratio(rounds[::2], rounds[1::2])
            told += pairs is not None and verdict_of(pairs, 0.02) in ("faster", "slower")
            stored = unpaired_ratio(rounds[:LEAST_ROUNDS], rounds[LEAST_ROUNDS:], alike=True)
            if stored is not None and stored.value > 1:
                suspects += 1
                sides: tuple[list[RoundMedian], list[RoundMedian]] = ([], [])
                for turn in range(1, _MOST_TURNS + 1):
                    for side in sides:
                        side.append(await one(turn))
                    ratio = paired_ratio(sides[0], sides[1], _CONFIDENCE, looked=True) if turn in LOOKS else None
                    if ratio is not None and is_decided(ratio, decision):
                        alarmed += is_regression(ratio, _THRESHOLD)
                        break
            bench.say(f"gate: real comparison {number} of {total}, {suspects} suspect, {alarmed} alarms")
            yield [
                share("this machine: suspect", suspects, number),
                share("this machine: false alarms", alarmed, number, 0.02),
                share("this machine: compare, three pairs", told, number),
            ]


SECTION = Section(
    name="gate",
    what="`check` where nothing changed, and where something became 5 % or 10 % slower",
    unit="share",
    aim="1 % of false alarms at most; of slowdowns by the threshold 5 % missed at most",
    measure=measure,
)
