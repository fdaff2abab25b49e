"""How far a point came that is not ok: the first of its stages that did not end well; pure."""

from collections.abc import Sequence

from harness.core.rounds import CaseResult, Round
from harness.metrics import WRONG_OUTPUT


def stage_of(result: CaseResult, rounds: Sequence[Round]) -> str | None:
    """Where it stopped, None where nothing stopped it.

    `plan` (impossible beforehand), `export`, `start` (the browser or the runtime), `load` (also what the runtime
    refuses), `run`, `agree` (wrong output).
    """
    if result.outcome == "ok" or result.reused_from is not None:  # another Run's Rounds are not here to be asked
        return None
    stopped = next((one for one in rounds if one.outcome == result.outcome), None)
    if stopped is None:
        return "plan" if result.outcome == "unsupported" else "export"
    if stopped.code == WRONG_OUTPUT:
        return "agree"
    # A page says `runtime` when its runtime is there, a worker begins with `prepare`; `load` is said when it is done.
    if not {"runtime", "prepare"} & stopped.phases.keys():
        return "start"
    return "run" if "load" in stopped.phases else "load"
