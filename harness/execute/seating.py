"""A Round's seat at the page server: what its page is told, and where its files lie."""

from collections.abc import Callable
from pathlib import Path

from harness.core.events import CaseMessage
from harness.core.nouns import Case
from harness.core.units import parse_rate
from harness.execute.executor import Assignment
from harness.execute.files import Pipe
from harness.execute.page_server import Seat
from harness.execute.published import find_package


def seat_for(assignment: Assignment, told: Callable[[CaseMessage], CaseMessage] = lambda message: message) -> Seat:
    """What it needs lies under addresses that only its token opens; raises Unsupported for a runtime that is not here.

    `told` may add to the message.
    """
    seat = Seat(
        lambda own: told(_message(assignment, own)), artifact_dir=assignment.artifact_dir,
        outputs_dir=assignment.outputs_dir, runtime_dir=_runtime_folder(assignment.case.runtime),
    )  # fmt: skip
    if assignment.case.cache == "warm":
        # Its files lie under the addresses of the load that follows: else no browser could find them in its cache.
        seat.rehearsal = Seat(lambda _: _message(assignment, seat, rehearse_for=seat.token))
    return seat


def pipe_for(case: Case) -> Pipe | None:
    """What all downloads of the Case's pages go through, where it asks for a rate."""
    return None if case.network is None else Pipe(parse_rate(case.network), kept=case.cache == "warm")


def _runtime_folder(runtime: str | None) -> Path | None:
    """The folder of a runtime `package@version` that was asked for."""
    if runtime is None:
        return None
    package, _, version = runtime.rpartition("@")
    return find_package(package, version)


def _message(assignment: Assignment, seat: Seat, rehearse_for: str | None = None) -> CaseMessage:
    message = assignment.message(f"/artifact/{seat.token}/", f"/outputs/{seat.token}/", rehearse_for)
    base = None if seat.runtime_dir is None else f"/runtime/{seat.token}/"
    return message.model_copy(update={"runtime_base": base})
