"""Answers by their digest, and how far two of the same program are apart."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.events import OutputTensor
from harness.measure.answers import distance, keep_answers, same_within
from tests.making import write_outputs

TENSOR = OutputTensor(name="y", dtype="float32", shape=(2, 2))
ONE = np.array([[1, -2], [3, 4]], dtype=np.float32)


def apart(tmp_path: Path, other: NDArray[np.float32], within: float = 4e-5) -> tuple[float | None, str | None]:
    for name, array in (("one", ONE), ("other", other)):
        (tmp_path / name).write_bytes(array.tobytes())
    return distance(TENSOR, tmp_path / "one", tmp_path / "other", within)


def test_the_same_answer_has_the_same_digest_and_is_kept_once(tmp_path: Path) -> None:
    delivered, kept = tmp_path / "out", tmp_path / "kept"
    kept.mkdir()
    said = {name: write_outputs(delivered, name, {"y": ONE * factor}) for name, factor in (("first", 1), ("last", 1))}
    found = keep_answers(said, delivered, kept)
    assert found["first"] == found["last"] and len(list(kept.iterdir())) == 1
    said["last"] = write_outputs(delivered, "last", {"z": ONE})
    assert keep_answers(said, delivered, kept)["last"] != found["first"], "another tensor's bytes are another answer"


def test_what_was_said_and_never_delivered_has_a_digest_and_no_bytes(tmp_path: Path) -> None:
    said = {"first": write_outputs(tmp_path / "out", "first", {"y": ONE})}
    (tmp_path / "out" / "first" / "0.bin").unlink()
    (tmp_path / "kept").mkdir()
    assert len(keep_answers(said, tmp_path / "out", tmp_path / "kept")["first"]) == 1
    assert not list((tmp_path / "kept").iterdir())


def test_a_distance_is_relative_to_the_largest_value(tmp_path: Path) -> None:
    far, why = apart(tmp_path, ONE + np.array([[0, 0], [0, 1e-3]], np.float32))
    assert far == pytest.approx(1e-3 / 4, rel=1e-3) and why is not None
    assert apart(tmp_path, ONE + np.array([[0, 1e-5], [0, 0]], np.float32))[1] is None


def test_what_cannot_be_subtracted_is_another_answer(tmp_path: Path) -> None:
    assert apart(tmp_path, np.full((2, 2), np.nan, np.float32))[1] is not None
    assert apart(tmp_path, np.zeros((2, 3), np.float32)) == (None, "another number of bytes")


def test_the_same_program_is_allowed_far_less_than_a_precision() -> None:
    assert same_within("fp32") == pytest.approx(4e-5)
    # Half precision rounds to 2^-11 of a value, bfloat16 to 2^-9: two roundings are allowed, ten are not.
    assert 2 * 2**-11 < same_within("fp16") < 10 * 2**-11 and 2 * 2**-9 <= same_within("bf16") * 1.01 < 10 * 2**-9
