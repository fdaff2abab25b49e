"""Work of a known duration, for tests and for measuring what the harness itself costs; twin of the page's `noop`.

Its outputs are the Artifact's expected ones, so that the judge has something to pass. `--option duration_us=N` waits
N microseconds busily; `--option fail=CODE` fails when loading, `wrong` spoils the outputs.
"""

DESCRIBE = {
    "name": "noop",
    "version": 1,
    "side": "native",
    "formats": ["any"],
    "precisions": ["fp32"],
    "platforms": {"noop": {"devices": ["cpu"]}},
    "packages": [],
    "install": "",
    "options": ["duration_us", "fail", "wrong"],
    "for_tests": True,
}

import time
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from harness.core.events import CaseMessage, Operator
from native.seam import BackendFailed, Profiled, Session, read_tensor


def open_session(message: CaseMessage) -> Session:
    return NoopSession(message)


class NoopSession:
    def __init__(self, message: CaseMessage) -> None:
        self.runtime: dict[str, str] = {}
        self._message = message
        self._options = message.case.options
        self._wait_ns = round(float(self._options.get("duration_us", 0)) * 1000)
        self._expected: list[tuple[str, NDArray[Any]]] = []

    def prepare(self) -> dict[str, Any]:
        folder = Path(self._message.base)
        self._expected = [(tensor.name, read_tensor(folder, tensor)) for tensor in self._message.artifact.expected]
        if self._options.get("wrong"):
            self._expected = [(name, array + 1) for name, array in self._expected]
        return {"bytes": 0}

    def load(self) -> dict[str, Any]:
        if code := self._options.get("fail"):
            raise BackendFailed(str(code), "asked to fail")
        return {"threads": self._message.case.threads}

    def run(self) -> None:
        end = time.perf_counter_ns() + self._wait_ns
        while time.perf_counter_ns() < end:
            pass

    def outputs(self) -> list[tuple[str, NDArray[Any]]]:
        return self._expected

    def placement(self) -> dict[str, Any]:
        return {"providers": {}, "fallbacks": [], "fallback_share": 0.0}

    def profile(self, runs: int) -> Profiled:
        durations_ns = []
        for _ in range(runs):
            started = time.perf_counter_ns()
            self.run()
            durations_ns.append(time.perf_counter_ns() - started)
        waited = Operator(operator="Wait", device="cpu", count=runs, self_ns=sum(durations_ns))
        return Profiled("perf_counter", durations_ns, [waited])

    def drop_outputs(self) -> None:
        return None
