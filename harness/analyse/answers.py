"""Whether a Round gave another answer than earlier Rounds of the same Artifact, by the judge's numbers; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.history import PastRound
from harness.core.rounds import Round, Verdict

# Threads add up in another order from time to time: for fp32 that is 1e-6 of the largest value, and the judge allows
# 1e-3. A twentieth of what it allows is far beyond the one and far below the other.
_ROUNDING_OF_TOLERANCE = 0.05
# An error of 4e-3 of the values' length; rounding of fp16, 1e-3, moves the cosine by less.
_ROUNDING_OF_COSINE = 1e-5


@dataclass(frozen=True)
class Changed:
    """The first of the judge's numbers that is another one; `expected`: the range that it had before."""

    what: str
    value: float | None
    expected: tuple[float, float] | None
    sentence: str


def another_answer(one: Round, earlier: Sequence[Round | PastRound]) -> Changed | None:
    """What is different from all earlier Rounds of the same Artifact; None: it agrees with one of them, or with nothing
    can be compared.

    An argmax that moved is a change, however small the numbers; largest error and cosine may differ by rounding.
    """
    artifact, verdict = artifact_of(one), one.verdict
    verdicts = [each.verdict for each in earlier if each.verdict is not None and artifact_of(each) == artifact]
    if artifact is None or verdict is None or not verdicts:
        return None
    if any(_first_difference(before, verdict) is None for before in verdicts):
        return None
    latest = verdicts[-1]
    what = _first_difference(latest, verdict)
    assert what is not None
    had = [float(value) for before in verdicts if (value := getattr(before, what)) is not None]
    expected = (min(had), max(had)) if had else None
    value = getattr(verdict, what)
    sentence = (
        f"its answer is another one than that of {len(verdicts)} earlier rounds of the same artifact: {_NAMES[what]} "
        f"{_told(value)} instead of {_told(getattr(latest, what))}"
    )
    sentence += _versions(one, earlier[-1])
    return Changed(what, None if value is None else float(value), expected, sentence)


_NAMES = {
    "passed": "passed", "agreement": "agreement", "max_abs": "a largest error of", "cosine": "a cosine of",
}  # fmt: skip


def artifact_of(one: Round | PastRound) -> str | None:
    """Digest of the Artifact that the Round ran."""
    if isinstance(one, PastRound):
        return one.artifact
    artifact = one.provenance.get("artifact")
    return artifact if isinstance(artifact, str) else None


def _first_difference(before: Verdict, after: Verdict) -> str | None:
    if before.passed != after.passed and before.checked == after.checked:
        return "passed"
    if before.agreement is not None and after.agreement is not None and before.agreement != after.agreement:
        return "agreement"
    if before.max_abs is not None and after.max_abs is not None:
        rounding = _ROUNDING_OF_TOLERANCE * max(before.tolerance or 0.0, after.tolerance or 0.0)
        if abs(before.max_abs - after.max_abs) > rounding:
            return "max_abs"
    if before.cosine is not None and after.cosine is not None:
        return "cosine" if abs(before.cosine - after.cosine) > _ROUNDING_OF_COSINE else None
    return None


def _told(value: float | bool | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else f"{value:.6g}"


def _versions(one: Round, before: Round | PastRound) -> str:
    changes = [
        f"{name} {before.runtime.get(name, 'unknown')} → {version}"
        for name, version in one.runtime.items()
        if before.runtime and before.runtime.get(name) != version
    ]
    return f"; meanwhile {', '.join(changes)}" if changes else "; what it ran on is the same"
