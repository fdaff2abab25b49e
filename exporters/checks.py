"""Is an output worth checking against, and do two outputs agree? Reasons come back as sentences, never as booleans."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.core.leaves import MASKED

# An export is called wrong beyond this share of the output's scale. It only catches graphs that are plainly wrong;
# the tolerances that a measurement must keep live with the judge.
SANITY_SHARE = 1e-3
# Below this share of the scale, the spread of an output is rounding noise.
FLAT_SHARE = 1e-6
# Less change than this share of an output's scale for wholly other inputs is no change.
TELLING_SHARE = 1e-4
# A largest magnitude below this is of a signal that vanished on its way: half precision would make it zero.
VANISHED = 1e-8


def broken_numbers(outputs: Mapping[str, Any]) -> str | None:
    """A sentence when some output holds NaN, or is infinite everywhere: nothing can be compared with that."""
    for name, array in outputs.items():
        if array.dtype.kind == "f" and (np.isnan(array).any() or (array.size and np.isinf(array).all())):
            return f"output {name!r} holds NaN or nothing but infinity"
    return None


def overflown(expected: Mapping[str, Any], got: Mapping[str, Any]) -> str | None:
    """A sentence when some output holds NaN or Inf where a number was expected."""
    for name, want in expected.items():
        if name not in got or got[name].shape != want.shape or got[name].dtype.kind != "f":
            continue
        if (_told(want) & ~np.isfinite(got[name])).any():
            return f"output {name!r} holds NaN or Inf"
    return None


def _told(array: Any) -> Any:
    """Where an array of floats says something: what a model masks it sets to the least number there is, or to -Inf,
    beside which no difference would count."""
    return np.abs(array) < MASKED


def flat_numbers(outputs: Mapping[str, Any]) -> str | None:
    """A sentence when some output is one number over and over, or next to nothing: a wrong model would pass."""
    for name, array in outputs.items():
        if array.dtype.kind == "f" and array.size > 1:
            wide = array[_told(array)].astype(np.float64)
            largest = np.abs(wide).max(initial=0.0)
            if wide.size == 0 or wide.std() <= FLAT_SHARE * largest:
                return f"output {name!r} is constant ({array.flat[0]:.6g})"
            if largest < VANISHED:
                return f"output {name!r} vanishes (the largest value is {largest:.3g})"
    return None


def insensitive(first: Mapping[str, Any], second: Mapping[str, Any]) -> str | None:
    """A sentence when no output of two different inputs differs: a graph that ignores its inputs would pass."""
    for name, one in first.items():
        other = second.get(name)
        if other is None or other.shape != one.shape:
            return None
        if one.dtype.kind != "f" or one.size == 0:
            continue
        told = _told(one) & _told(other)
        wide, have = one[told].astype(np.float64), other[told].astype(np.float64)
        if wide.size and np.abs(wide - have).max() > TELLING_SHARE * np.abs(wide).max():
            return None
    return "the outputs do not depend on the inputs"


def closeness(expected: Mapping[str, Any], got: Mapping[str, Any]) -> str:
    """How far each output is from what it should be, for a note: no judgement, which is the measuring judge's."""
    said = []
    for name, want in expected.items():
        if name not in got or got[name].shape != want.shape:
            said.append(f"{name} is missing or of another shape")
            continue
        told = _told(want) & _told(got[name])
        wide, have = want[told].astype(np.float64), got[name][told].astype(np.float64)
        scale, norms = float(np.abs(wide).max(initial=0.0)), float(np.linalg.norm(wide) * np.linalg.norm(have))
        share = float(np.abs(have - wide).max(initial=0.0)) / (scale or 1.0)
        cosine = f", cosine {float(wide @ have) / norms:.5f}" if norms > 0 else ""
        said.append(f"{name} off by at most {share:.2g} of its scale{cosine}")
    return "; ".join(said)


def disagreement(expected: Mapping[str, Any], got: Mapping[str, Any]) -> tuple[float, str | None]:
    """Largest difference as a share of its output's largest magnitude, and a sentence when that is too much."""
    worst = 0.0
    for name, want in expected.items():
        have = got[name]
        if have.shape != want.shape or have.dtype != want.dtype:
            return 1.0, f"output {name!r} is {have.dtype}{have.shape}, expected {want.dtype}{want.shape}"
        if want.dtype.kind == "f":
            told = _told(want)
            if not np.array_equal(told, _told(have)):  # NaN is not told either
                return 1.0, f"output {name!r} is masked, infinite or NaN at other places"
            want, have = want[told], have[told]
        if want.size == 0:
            continue
        difference = float(np.abs(have.astype(np.float64) - want.astype(np.float64)).max())
        scale = float(np.abs(want.astype(np.float64)).max())
        share = difference / scale if scale > 0 else difference
        if share > SANITY_SHARE:
            return share, f"output {name!r} differs by {difference:.3g} where the largest value is {scale:.3g}"
        worst = max(worst, share)
    return worst, None
