"""Rounds of one version, of several Runs → what they have come to, for a bisection; pure."""

from collections import Counter
from collections.abc import Sequence

from harness.analyse.likeness import Observed
from harness.core.nouns import LEFT_OUT, OF_THE_MOMENT
from harness.core.rounds import CaseResult, Round
from harness.metrics import told_number, verdict_clock


def observed(version: str, result: CaseResult, rounds: Sequence[Round]) -> Observed:
    """`result`: of the latest Run. `rounds`: all of this version; those that a device, a network or a disk ended say
    nothing of it."""
    telling = [one for one in rounds if one.code not in (*OF_THE_MOMENT, *LEFT_OUT)]
    if not telling:
        return Observed(version, result.outcome, result.code, result.reason)
    first = telling[0]
    shares = [told for one in telling if (told := told_number(one, "fallback_share")) is not None]
    verdicts = [one.verdict for one in telling]
    return Observed(
        version=version, outcome=first.outcome, code=first.code, reason=first.reason, rounds=len(telling),
        flaky=_flaky(telling), figures=_figures(telling), fallback_share=max(shares, default=None),
        clock=verdict_clock(telling).clock,
        right=first.outcome == "ok" and all(one is not None and one.checked and one.passed for one in verdicts),
    )  # fmt: skip


def _flaky(rounds: Sequence[Round]) -> str | None:
    """In words where Rounds of one version disagree about whether it runs."""
    counts = Counter("ok" if one.outcome == "ok" else f"{one.outcome} ({one.code or one.reason})" for one in rounds)
    if len({one.outcome for one in rounds}) < 2:
        return None
    return "not the same each time: " + ", ".join(f"{count} × {told}" for told, count in counts.most_common())


def _figures(rounds: Sequence[Round]) -> dict[str, tuple[float, float]]:
    """The judge's, as `Observed` names them, where every Round has them."""
    verdicts = [one.verdict for one in rounds if one.verdict is not None and one.verdict.checked]
    taken: dict[str, list[float | None]] = {
        "largest error": [each.max_abs / each.tolerance if each.tolerance and each.max_abs is not None else None
                          for each in verdicts],
        "typical error": [each.rms_rel for each in verdicts],
        "agreement": [each.agreement for each in verdicts],
    }  # fmt: skip
    whole = {name: [value for value in values if value is not None] for name, values in taken.items()}
    return {name: (min(values), max(values)) for name, values in whole.items() if len(values) == len(rounds)}
