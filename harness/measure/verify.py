"""The one judge: output bytes against the Artifact's expected bytes, the same for every backend.

A Round passes when the outputs of its first **and** its last iteration are within tolerance (a driver was seen to be
right on the first run only). Fast but wrong has failed.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.catalog import backends, tasks
from harness.core.events import Outputs, OutputTensor
from harness.core.leaves import MASKED
from harness.core.nouns import Artifact, Case, Tensor
from harness.core.rounds import Verdict


class Tolerance(NamedTuple):
    """What a precision may cost. `largest` is of any one error, relative to the largest expected magnitude of the same
    tensor; `typical` is the root of the mean squared error, relative to the expected values' standard deviation: an
    output that has nothing to do with the expected one has 1 or more there, whatever its scale."""

    largest: float
    typical: float


# fp32: sums in another order give 1e-6, fused or approximated activations up to 1e-4; an export that was silently wrong
# was off by 3e-2. The line lies between; its second bound only speaks where a large common part hides the spread.
# fp16, bf16: each rounding is up to 2^-11 and 2^-9 of a value; some hundred of them add up like a random walk, to some
# tens of one: 1e-2 and 4e-2, and the worst of many values is a few times that.
# int8: 255 steps over a channel's range, or over a whole tensor's for activations, where one outlier of ten deviations
# makes a step 8e-2 of a deviation: about 2e-2 of error per product, several times that through a dozen layers.
# int4: 16 steps over a block's range: 8e-2 to 1e-1 of error per product, whatever the kernel; through a dozen layers
# two to three times that.
# A quantised kernel that is wrong gives noise, which is 1; one that is slightly wrong cannot be told from its steps.
TOLERANCE = {
    "fp32": Tolerance(1e-3, 1e-2),
    "fp16": Tolerance(3e-2, 1e-2),
    "bf16": Tolerance(1e-1, 4e-2),
    "int8": Tolerance(0.5, 0.2),
    "int8-static": Tolerance(0.5, 0.3),
    "int4": Tolerance(0.75, 0.4),
    "q4f16": Tolerance(0.75, 0.4),
}
# Below this magnitude errors are absolute: relative to an output of zeros nothing would pass.
_FLOOR = 1e-6
# A mask is the least number of its type; half precision's is 65504.
_MASKED_HALF = float(np.finfo(np.float16).max) / 2
# Below this share of the largest magnitude a spread is rounding noise: no share of it means anything.
_FLAT = 1e-4


def judge(artifact: Artifact, folder: Path, outputs: dict[str, Outputs], outputs_dir: Path, case: Case) -> Verdict:
    """Compare both iterations; the Verdict carries the worse figures and, where it failed, says which tensor.

    `folder` holds the Artifact, `outputs_dir/<iteration>/<index>.bin` the bytes in the order of each Outputs event.
    """
    expected = expected_of(artifact, case)
    if expected is None:
        return Verdict(checked=False, passed=False, reason="the Artifact holds nothing that a pipeline must answer")
    verdicts: list[Verdict] = []
    for iteration in ("first", "last"):
        against = Reference(artifact.reference, expected, folder)
        verdict = _judge_iteration(against, outputs[iteration], outputs_dir / iteration, case.precision)
        if not verdict.passed:
            return verdict.model_copy(update={"reason": f"{iteration} iteration: {verdict.reason}"})
        verdicts.append(verdict)
    worst = _worst_of(verdicts)
    # An argmax means something where the last axis is classes or a vocabulary.
    means_something = tasks()[case.task].agreement == "argmax"
    return worst if means_something else worst.model_copy(update={"agreement": None})


class Reference(NamedTuple):
    """What is compared with: its name, the tensors, and the folder that their files are relative to."""

    name: str
    expected: tuple[Tensor, ...]
    folder: Path


def expected_of(artifact: Artifact, case: Case) -> tuple[Tensor, ...] | None:
    """What the Case's backend must give: the graph's outputs, or what a pipeline answers (None: nobody knows). A worker
    or page has no say in it."""
    if backends()[case.backend].answers == "outputs":
        return artifact.expected
    return artifact.pipeline.expected if artifact.pipeline is not None else None


def _judge_iteration(against: Reference, said: Outputs, outputs_dir: Path, precision: str) -> Verdict:
    wrong = Verdict(checked=True, passed=False, reference=against.name)
    got = {tensor.name: (index, tensor) for index, tensor in enumerate(said.tensors)}
    verdicts: list[Verdict] = []
    for expected in against.expected:
        if expected.name not in got:
            return wrong.model_copy(update={"reason": f"output {expected.name!r} is missing"})
        index, tensor = got[expected.name]
        if tensor.dtype != expected.dtype or tensor.shape != expected.shape:
            reason = (
                f"output {expected.name!r} is {tensor.dtype}{list(tensor.shape)}, "
                f"expected {expected.dtype}{list(expected.shape)}"
            )
            return wrong.model_copy(update={"reason": reason})
        actual = _read(outputs_dir / f"{index}.bin", tensor)
        reference = _read(against.folder / expected.file, expected)
        if actual is None or reference is None:
            return wrong.model_copy(update={"reason": f"output {expected.name!r} has too few or too many bytes"})
        verdict = compare(reference, actual, TOLERANCE[precision])
        if not verdict.passed:
            update = {"reference": against.name, "reason": f"output {expected.name!r}: {verdict.reason}"}
            return verdict.model_copy(update=update)
        verdicts.append(verdict)
    if not verdicts:
        return wrong.model_copy(update={"reason": "the Artifact expects no output"})
    return _worst_of(verdicts).model_copy(update={"reference": against.name})


def _worst_of(verdicts: list[Verdict]) -> Verdict:
    """The one with the largest error, with the worst of the other figures, which may be another tensor's."""
    worst = max(verdicts, key=lambda verdict: verdict.max_rel or 0.0)
    told = {
        name: [value for verdict in verdicts if (value := getattr(verdict, name)) is not None]
        for name in ("cosine", "agreement", "rms_rel")
    }
    return worst.model_copy(
        update={
            "cosine": min(told["cosine"], default=None),
            "agreement": min(told["agreement"], default=None),
            "rms_rel": max(told["rms_rel"], default=None),
        }
    )


def compare(expected: NDArray[np.generic], actual: NDArray[np.generic], tolerance: Tolerance) -> Verdict:
    """One tensor against another of the same shape. NaN is always wrong, also in the reference; Inf must be expected.

    What a model masks with about the least number there is counts as masked, not as a magnitude that any error would
    be small beside. The Verdict's `tolerance` is the bound of the largest error, absolute.
    """
    if not np.issubdtype(expected.dtype, np.floating):
        same = bool(np.array_equal(expected, actual))
        different = int(np.count_nonzero(expected != actual))
        reason = None if same else f"{different} of {expected.size} values differ"
        return Verdict(checked=True, passed=same, max_abs=0.0 if same else None, tolerance=0.0, reason=reason)
    e, a = expected.astype(np.float64).ravel(), actual.astype(np.float64).ravel()
    if nothing := int(np.count_nonzero(np.isnan(e))):
        return Verdict(checked=False, passed=False, reason=f"the reference itself has {nothing} NaN")
    finite = np.isfinite(e)
    masked = finite & (np.abs(e) >= MASKED)
    bad = int(np.count_nonzero(~np.isfinite(a[finite & ~masked]))) + int(np.count_nonzero(e[~finite] != a[~finite]))
    if bad:
        return Verdict(checked=True, passed=False, reason=f"{bad} of {e.size} values are NaN or infinite")
    if lost := int(np.count_nonzero(~(np.sign(e[masked]) * a[masked] >= _MASKED_HALF))):
        return Verdict(checked=True, passed=False, reason=f"{lost} of {e.size} values should be masked and are not")
    e, a = e[finite & ~masked], a[finite & ~masked]
    magnitude = max(float(np.max(np.abs(e), initial=0.0)), _FLOOR)
    error = np.abs(a - e)
    max_abs, bound = float(np.max(error, initial=0.0)), tolerance.largest * magnitude
    typical = _rms_share(e, error)
    reason = None
    if max_abs > bound:
        reason = f"off by {max_abs:.3g}, more than {bound:.3g}"
    elif typical is not None and typical > tolerance.typical:
        reason = f"typically off by {typical:.1%} of the values' spread, more than {tolerance.typical:.1%}"
    return Verdict(
        checked=True, passed=reason is None, max_abs=max_abs, max_rel=max_abs / magnitude, rms_rel=typical,
        cosine=_cosine(e, a), agreement=_argmax_agreement(expected, actual), tolerance=bound, reason=reason,
    )  # fmt: skip


def _rms_share(e: NDArray[np.float64], error: NDArray[np.float64]) -> float | None:
    """The typical error as a share of the expected values' spread; None where they have none worth the name."""
    spread = float(np.std(e)) if e.size > 1 else 0.0
    if spread <= _FLAT * max(float(np.max(np.abs(e), initial=0.0)), _FLOOR):
        return None
    return float(np.sqrt(np.mean(error**2))) / spread


def _cosine(e: NDArray[np.float64], a: NDArray[np.float64]) -> float | None:
    norms = float(np.linalg.norm(e) * np.linalg.norm(a))
    return float(np.dot(e, a) / norms) if norms > 0 else None


def _argmax_agreement(expected: NDArray[np.generic], actual: NDArray[np.generic]) -> float | None:
    """Share of positions whose largest entry along the last axis is the same one; None for vectors of length < 2."""
    if expected.ndim < 2 or expected.shape[-1] < 2:
        return None
    return float(np.mean(np.argmax(expected, axis=-1) == np.argmax(actual, axis=-1)))


def _read(path: Path, tensor: Tensor | OutputTensor) -> NDArray[np.generic] | None:
    """The tensor's bytes as an array of its shape; None when there are not exactly as many as it needs."""
    dtype = np.dtype(tensor.dtype).newbyteorder("<")
    size = math.prod(tensor.shape) * dtype.itemsize
    # Asked before reading: a page may have delivered gigabytes where some bytes were expected.
    if not path.is_file() or path.stat().st_size != size:
        return None
    return np.frombuffer(path.read_bytes(), dtype).reshape(tensor.shape)
