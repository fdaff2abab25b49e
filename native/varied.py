"""Other inputs of the same names, dtypes and shapes that a model must take too. Twin of `browser_assets/varied.js`.

From the same frozen inputs the twins draw the same ones, to the byte; `tests/golden` holds them to it. So native and
page are audited with the same inputs, and a change here is a change there.

token ids     the same ids in another order along the last axis: as many of each (a placeholder of an image stays as
              often as it was), and no row of the embedding that the frozen ones do not read
floats        all numbers moved on by some places, as in a ring: the same values, so nothing is out of range
the rest      as it is: masks and types (at most two different values), positions, sizes, boxes
"""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Inputs = dict[str, NDArray[Any]]
# Numbers that mean a place, an extent or a moment: moved, they would name what is not there.
_NO_CONTENT = re.compile(r"mask|position|bbox|box|point|size|grid|shape|time|rope|freq")
_TOKENS = re.compile(r"input_ids$")
_TRIES = 20


@dataclass
class Draws:
    """Lehmer's generator: its products stay below 2^53, so JavaScript's numbers draw the same."""

    state: int = 20_261_126

    def below(self, most: int) -> int:
        """A whole number from 0 to `most` - 1; that some are likelier by 2^-31 does not matter here."""
        self.state = self.state * 48_271 % 2_147_483_647
        return self.state % most


@dataclass
class Varied:
    """Draws sets of inputs, each of them once, and never the frozen ones: what was kept of an earlier run is no use."""

    frozen: Inputs
    draws: Draws
    names: list[str] = field(init=False)
    _seen: set[bytes] = field(init=False)

    def __post_init__(self) -> None:
        content = {name: array for name, array in self.frozen.items() if _is_content(name, array)}
        named = [name for name, array in content.items() if array.dtype.kind == "f" or _TOKENS.search(name)]
        # A bare graph may call its token ids anything; where floats vary, they need not be understood.
        self.names = named or list(content)
        self._seen = {b"".join(_key(self.frozen[name], self.frozen[name], 0) for name in self.names)}

    def next(self) -> Inputs | None:
        """Inputs that were not there yet; None where nothing may be varied, or nothing new is found any more."""
        for _ in range(_TRIES if self.names else 0):
            drawn, key = dict(self.frozen), b""
            for name in self.names:
                array = self.frozen[name]
                if array.dtype.kind == "f":
                    places = 1 + self.draws.below(array.size - 1)
                    drawn[name] = np.roll(array.reshape(-1), places).reshape(array.shape)
                else:
                    places = 0
                    drawn[name] = _in_another_order(array, self.draws)
                key += _key(array, drawn[name], places)
            if key not in self._seen:
                self._seen.add(key)
                return drawn
        return None


def _key(array: NDArray[Any], drawn: NDArray[Any], places: int) -> bytes:
    """What tells two draws apart: of floats, which may be millions, by how far they were moved."""
    return b"%d;" % places if array.dtype.kind == "f" else np.ascontiguousarray(drawn).tobytes()


def _is_content(name: str, array: NDArray[Any]) -> bool:
    if array.dtype.kind not in "fiu" or _NO_CONTENT.search(name) or array.ndim == 0 or array.size < 2:
        return False
    if array.dtype.kind in "iu" and array.shape[-1] < 2:
        return False
    return _has_three_values(array)


def _has_three_values(array: NDArray[Any]) -> bool:
    """By their bits. Two are a mask's, 0 and 1 or 0 and the least number there is; one is nothing to move."""
    bits = np.ascontiguousarray(array).reshape(-1).view(f"u{array.dtype.itemsize}")
    others = bits[bits != bits[0]]
    return bool(others.size and np.any(others != others[0]))


def _in_another_order(array: NDArray[Any], draws: Draws) -> NDArray[Any]:
    """Each row by Fisher and Yates; rows one after the other from the same draws."""
    rows = array.reshape(-1, array.shape[-1]).copy()
    for row in rows:
        for last in range(len(row) - 1, 0, -1):
            other = draws.below(last + 1)
            row[last], row[other] = int(row[other]), int(row[last])
    return rows.reshape(array.shape)
