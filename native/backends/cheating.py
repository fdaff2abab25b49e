"""ONNX Runtime on the CPU, and cheats on demand, for tests: what an audit must find. Honest without an option.

`--option cheat=cache` keeps answers by their inputs; `stale` gives the first answer to everything; `answers` is a
little wrong, within the judge's tolerance, from the second run on; `clock` slows the worker's own clock by a fifth.
"""

DESCRIBE = {
    "name": "cheating",
    "version": 1,
    "side": "native",
    "formats": ["onnx"],
    "precisions": ["fp32"],
    "platforms": {"cheating": {"devices": ["cpu"]}},
    "packages": ["onnxruntime"],
    "install": "",
    "options": ["cheat"],
    "for_tests": True,
}

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.events import CaseMessage
from native.backends.onnxruntime import OnnxRuntimeSession
from native.loop import Clock
from native.seam import Session

_A_LITTLE = np.float32(1 + 3e-4)
_SLOW = 0.8


def open_session(message: CaseMessage) -> Session:
    return CheatingSession(message)


class CheatingSession(OnnxRuntimeSession):
    def __init__(self, message: CaseMessage) -> None:
        super().__init__(message)
        self._cheat = message.case.options.get("cheat")
        self._kept: dict[bytes, list[NDArray[Any]]] = {}
        self._runs = 0
        if self._cheat == "clock":
            _slow_down_the_workers_clock()

    def run(self) -> None:
        self._runs += 1
        if self._cheat not in ("cache", "stale"):
            super().run()
            return
        key = b"" if self._cheat == "stale" else b"".join(array.tobytes() for array in self._inputs.values())
        if key not in self._kept:
            super().run()
            self._kept[key] = self._latest
        self._latest = self._kept[key]

    def outputs(self) -> list[tuple[str, NDArray[Any]]]:
        told = super().outputs()
        if self._cheat != "answers" or self._runs < 2:
            return told
        return [(name, array * _A_LITTLE if array.dtype == np.float32 else array) for name, array in told]


def _slow_down_the_workers_clock() -> None:
    """The one that it holds already: a library in the same process reaches whatever it wants to."""
    frame = sys._getframe()
    while (above := frame.f_back) is not None:
        frame = above
        if isinstance(clock := frame.f_locals.get("clock"), Clock):
            object.__setattr__(clock, "now", _slow_clock(time.perf_counter_ns()))
            return


def _slow_clock(began_ns: int) -> Callable[[], int]:
    return lambda: began_ns + int((time.perf_counter_ns() - began_ns) * _SLOW)
