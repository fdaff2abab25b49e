"""The twins that vary inputs draw the same ones, to the byte; and what they draw is what a model must take too."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from native.varied import Draws, Varied

Frozen = dict[str, NDArray[Any]]
DRAWN = np.random.default_rng(3)
TEXT: Frozen = {
    "input_ids": DRAWN.integers(0, 30_000, (2, 128)),
    "attention_mask": np.ones((2, 128), np.int64),
    "token_type_ids": np.repeat([[0, 1]], 64, axis=1).repeat(2, axis=0),
    "position_ids": np.arange(128)[None].repeat(2, axis=0),
}
PICTURE: Frozen = {
    "pixel_values": DRAWN.standard_normal((1, 3, 16, 16), dtype=np.float32),
    "pixel_mask": np.ones((1, 16, 16), np.int64),
    "half": DRAWN.standard_normal((4, 4)).astype(np.float16),
    "attention_mask": np.where(DRAWN.random((1, 1, 16)) > 0.5, np.float32(0), np.finfo(np.float32).min),
    "timestep": np.array([5.0], np.float32),
}
BARE: Frozen = {"x": DRAWN.integers(0, 50, (4, 8)), "mask": DRAWN.random((4, 8, 1)) > 0.3}
FEW: Frozen = {"input_ids": np.array([[1, 2, 3]])}
ALL: dict[str, Frozen] = {
    "text": TEXT,
    "picture": PICTURE,
    "bare": BARE,
    "few": FEW,
    "nothing": {"mask": np.ones((2, 2), np.int64)},
}


def _as_text(array: NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()


def by_node(frozen: Frozen, times: int) -> dict[str, Any]:
    tensors = [
        {"name": name, "dtype": array.dtype.name, "shape": array.shape, "bytes": _as_text(array)}
        for name, array in frozen.items()
    ]
    command = ["node", str(Path(__file__).with_name("vary.mjs"))]
    given = json.dumps({"tensors": tensors, "times": times}) + "\n"
    told: dict[str, Any] = json.loads(
        subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout
    )
    return told


def by_python(frozen: Frozen, times: int) -> dict[str, Any]:
    draws = Draws()
    others = Varied(frozen, draws)
    drawn = [others.next() for _ in range(times)]
    told = [None if each is None else [_as_text(array) for array in each.values()] for each in drawn]
    return {"names": others.names, "drawn": told, "state": draws.state}


@pytest.mark.parametrize("name", ALL)
def test_the_twins_draw_the_same_bytes(name: str) -> None:
    assert by_node(ALL[name], 12) == by_python(ALL[name], 12)


def test_the_generator_is_lehmers() -> None:
    # Park and Miller's check, for this multiplier: from 1, the 10,000th state is 399268537.
    draws = Draws(1)
    for _ in range(10_000):
        draws.below(7)
    assert draws.state == 399_268_537


def test_token_ids_come_in_another_order_and_nothing_else_changes() -> None:
    drawn = Varied(TEXT, Draws()).next()
    assert drawn is not None
    for row, before in zip(drawn["input_ids"], TEXT["input_ids"], strict=True):
        assert sorted(row) == sorted(before) and list(row) != list(before)
    assert all(np.array_equal(drawn[name], TEXT[name]) for name in TEXT if name != "input_ids")


def test_floats_move_and_masks_moments_and_types_stay() -> None:
    others = Varied(PICTURE, Draws())
    assert others.names == ["pixel_values", "half"]
    drawn = others.next()
    assert drawn is not None
    assert np.array_equal(np.sort(drawn["pixel_values"].ravel()), np.sort(PICTURE["pixel_values"].ravel()))
    assert not np.array_equal(drawn["pixel_values"], PICTURE["pixel_values"])
    assert drawn["half"].dtype == np.float16 and drawn["half"].shape == (4, 4)


def test_none_comes_twice_nor_the_frozen_ones_and_it_ends() -> None:
    others = Varied(FEW, Draws())
    drawn = []
    while (each := others.next()) is not None:
        drawn.append(tuple(each["input_ids"][0]))
    # Three numbers have six orders, one of which is the frozen one.
    assert len(set(drawn)) == len(drawn) <= 5 and (1, 2, 3) not in drawn and len(drawn) >= 4
