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
from harness.core.nouns import Artifact, Case, Tensor
from harness.core.rounds import Verdict

# Largest error allowed, relative to the largest expected magnitude of the same tensor. fp32: sums in another order
# give 1e-6, fused or approximated activations up to 1e-4; an export that was silently wrong was off by 3e-2. The
# line lies between. Other precisions arrive with the backends that offer them.
TOLERANCE = {"fp32": 1e-3}
# Below this magnitude errors are absolute: relative to an output of zeros nothing would pass.
_FLOOR = 1e-6


def judge(artifact: Artifact, folder: Path, outputs: dict[str, Outputs], outputs_dir: Path, case: Case) -> Verdict:
    """Compare both iterations; the Verdict carries the worse figures and, where it failed, says which tensor.

    `folder` holds the Artifact, `outputs_dir/<iteration>/<index>.bin` the bytes in the order of each Outputs event.
    """
    expected = expected_of(artifact, case)
    if expected is None:
        return Verdict(checked=False, passed=False, reason="the Artifact holds nothing that a pipeline must answer")
    worst: Verdict | None = None
    for iteration in ("first", "last"):
        against = Reference(artifact.reference, expected, folder)
        verdict = _judge_iteration(against, outputs[iteration], outputs_dir / iteration, case.precision)
        if not verdict.passed:
            return verdict.model_copy(update={"reason": f"{iteration} iteration: {verdict.reason}"})
        if worst is None or (verdict.max_rel or 0.0) > (worst.max_rel or 0.0):
            worst = verdict
    assert worst is not None
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
    worst: Verdict | None = None
    cosines: list[float] = []
    agreements: list[float] = []
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
        cosines += [verdict.cosine] if verdict.cosine is not None else []
        agreements += [verdict.agreement] if verdict.agreement is not None else []
        if worst is None or (verdict.max_rel or 0.0) > (worst.max_rel or 0.0):
            worst = verdict
    if worst is None:
        return wrong.model_copy(update={"reason": "the Artifact expects no output"})
    lowest = {"cosine": min(cosines, default=None), "agreement": min(agreements, default=None)}
    return worst.model_copy(update={"reference": against.name, **lowest})


def compare(expected: NDArray[np.generic], actual: NDArray[np.generic], tolerance: float) -> Verdict:
    """One tensor against another of the same shape. NaN is always wrong, also in the reference; Inf must be expected.

    `tolerance` is relative to the largest expected magnitude; the Verdict's is that bound, absolute.
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
    bad = int(np.count_nonzero(~np.isfinite(a[finite]))) + int(np.count_nonzero(e[~finite] != a[~finite]))
    if bad:
        return Verdict(checked=True, passed=False, reason=f"{bad} of {e.size} values are NaN or infinite")
    e, a = e[finite], a[finite]
    magnitude = max(float(np.max(np.abs(e), initial=0.0)), _FLOOR)
    error = np.abs(a - e)
    max_abs, bound = float(np.max(error, initial=0.0)), tolerance * magnitude
    passed = max_abs <= bound
    return Verdict(
        checked=True, passed=passed, max_abs=max_abs, max_rel=max_abs / magnitude, cosine=_cosine(e, a),
        agreement=_argmax_agreement(expected, actual), tolerance=bound,
        reason=None if passed else f"off by {max_abs:.3g}, more than {bound:.3g}",
    )  # fmt: skip


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
