"""Output bytes, kept by their digest and compared without a reference: are two answers of one Case the same?

The judge (verify.py) asks whether an answer is right, within what a precision may cost. Here the same program is asked
twice, so nothing but its own irreproducibility is allowed.
"""

import hashlib
import math
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.events import Outputs, OutputTensor
from harness.measure.verify import TOLERANCE, Tolerance, compare

# Of the judge's tolerance of a precision. fp32: 4e-5 of the largest value, where sums in another order (threads, atomic
# additions on a GPU) make some 1e-6. fp16, bf16: 1.2e-3 and 4e-3, two roundings of the largest value. A cheaper
# computation in the loop alone (fp16 for fp32: 1e-3) lies far above.
SHARE_OF_TOLERANCE = 1 / 25

Digests = list[str]


def same_within(precision: str) -> float:
    """The largest error between two answers of the same program, as a share of the largest value of a tensor."""
    return TOLERANCE[precision].largest * SHARE_OF_TOLERANCE


def keep_answers(outputs: Mapping[str, Outputs], delivered: Path, kept: Path) -> dict[str, Digests]:
    """Iteration → one digest per tensor; each tensor's bytes are copied to `kept/<digest>`, once.

    Name, type and shape count in a digest: the same bytes as another tensor are another answer.
    """
    found: dict[str, Digests] = {}
    for iteration, said in outputs.items():
        files = (delivered / iteration / f"{index}.bin" for index in range(len(said.tensors)))
        found[iteration] = [_keep(tensor, file, kept) for tensor, file in zip(said.tensors, files, strict=True)]
    return found


def _keep(tensor: OutputTensor, file: Path, kept: Path) -> str:
    digest = hashlib.sha256(tensor.model_dump_json().encode())
    if not file.is_file():  # said, and never delivered: the judge has failed that Round
        return digest.hexdigest()
    with file.open("rb") as opened:
        while part := opened.read(1 << 20):
            digest.update(part)
    name = digest.hexdigest()
    if not (kept / name).exists():
        shutil.copyfile(file, kept / name)
    return name


def distance(tensor: OutputTensor, one: Path, other: Path, within: float) -> tuple[float | None, str | None]:
    """How far `other` is from `one`, relative to the largest value of `one`, and why that is too far; both are files of
    that tensor's type and shape. The distance is None where the values cannot be subtracted: NaN, other whole numbers.
    """
    if one.stat().st_size != other.stat().st_size:
        return None, "another number of bytes"
    said = compare(_read(tensor, one), _read(tensor, other), Tolerance(within, math.inf))
    return said.max_rel, said.reason


def _read(tensor: OutputTensor, file: Path) -> NDArray[np.generic]:
    return np.fromfile(file, np.dtype(tensor.dtype).newbyteorder("<")).reshape(tensor.shape)
