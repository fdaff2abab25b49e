"""How far a point came that is not ok: the first of its stages that did not end well; pure."""

from collections.abc import Sequence

from harness.core.rounds import CaseResult, Round
from harness.metrics import WRONG_OUTPUT

STAGES = ("plan", "build", "forward", "export", "start", "load", "run", "agree")
# What exporting says of itself. A code that begins with a stage's name needs no line.
_OF_EXPORTING = {
    "missing_weights": "build",
    "no_input_rule": "forward",  # the module is there, but nothing to call it with
    "no_outputs": "forward",
    "degenerate_output": "forward",
    "random_output": "forward",  # it runs, but no second run can be held against the first
    "inputs_differ": "export",
    "outputs_differ": "export",
    "onnxruntime_refused": "load",
    "onnxruntime_failed": "run",
    "export_disagrees": "agree",
}
_BEGINNINGS = ("build", "forward", "export")


def stage_of(result: CaseResult, rounds: Sequence[Round]) -> str | None:
    """Where it stopped, None where nothing stopped it.

    `plan` (impossible beforehand), `build` (the module), `forward` (eager PyTorch), `export`, `start` (the browser or
    the runtime), `load` (also what the runtime refuses), `run`, `agree` (wrong output). A graph that the exporter
    itself saw refused by ONNX Runtime has no Round: its code says the stage.
    """
    if result.outcome == "ok" or result.reused_from is not None:  # another Run's Rounds are not here to be asked
        return None
    stopped = next((one for one in rounds if one.outcome == result.outcome), None)
    if stopped is None:
        said_by_exporter = (result.reason or "").startswith("export: ")
        return _of_code(result.code) or ("build" if said_by_exporter and result.code is None else _before(result))
    if stopped.code == WRONG_OUTPUT:
        return "agree"
    # A page says `runtime` when its runtime is there, a worker begins with `prepare`; `load` is said when it is done.
    if not {"runtime", "prepare"} & stopped.phases.keys():
        return "start"
    return "run" if "load" in stopped.phases else "load"


def _before(result: CaseResult) -> str:
    return "plan" if result.outcome == "unsupported" else "export"


def _of_code(code: str | None) -> str | None:
    if code is None:
        return None
    return _OF_EXPORTING.get(code) or next((stage for stage in _BEGINNINGS if code.startswith(f"{stage}_")), None)
