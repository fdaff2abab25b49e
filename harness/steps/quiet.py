"""Is the machine quiet? Asked after exporting (which is load of our own) and before the first Round; and at the end."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from harness.core.errors import UserMistake
from harness.core.events import Note
from harness.core.rounds import Run
from harness.measure.quiet import STEAL_MOST_SHARE, Finding, Readings, can_pass, findings_of, quiet_of
from harness.measure.quiet_readings import counters, moment, over, readings_between, readings_over
from harness.steps.workplace import Workplace

_WINDOW_S = 1.0
# For `strict`: long enough for a compiler's last file or a browser's tab to finish, short enough to be told of.
_TRIES = 8


async def look_around(window_s: float = _WINDOW_S) -> Readings:
    """What others do on this machine while we do nothing for a moment."""
    begin = moment(os.getpid())
    await asyncio.sleep(window_s)
    return readings_between(begin, moment(os.getpid()))


async def quietened(run: Run, workplace: Workplace) -> Run:
    """The Run with `machine["quiet"]`; raises UserMistake not_quiet where the policy is strict and there is noise."""
    policy = run.plan.policy.quiet
    if policy == "off":
        return _with_quiet(run, quiet_of(policy, None, None))
    readings = await look_around()
    findings = findings_of(readings)
    if policy == "strict" and findings:
        readings, findings = await _wait_for_quiet(findings, workplace)
    for each in findings:
        workplace.watcher.warned(f"noisy machine: {each['text']}")
    return _with_quiet(run, quiet_of(policy, readings, counters()))


def quiet_end(run: Run, workplace: Workplace) -> dict[str, Any] | None:
    """What the counters tell of the whole Run: noise that began after the first look; None where it is off."""
    begun = (run.machine.get("quiet") or {}).get("counters")
    if begun is None:
        return None
    readings = readings_over(begun, counters())
    findings = findings_of(readings)
    for each in findings:
        workplace.watcher.warned(f"noise during the run: {each['text']}")
    return {"findings": findings, "readings": readings.model_dump(mode="json")}


@contextlib.contextmanager
def noting_steal(round_id: str, run: Run, keep: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """For the length of a Round; after it `keep` hears where the host took more than a percent of the CPU."""
    begin = counters()
    yield
    if run.plan.policy.quiet == "off":
        return
    share = over(begin, counters())["steal_share"]
    if share is not None and share > STEAL_MOST_SHARE:
        text = f"the host of this virtual machine took {100 * share:.1f} % of its CPU"
        note = Note(kind="provenance", text=text, data={"steal_share": round(share, 4)})
        keep({"record": "event", "round_id": round_id, "event": note.model_dump(mode="json")})


async def _wait_for_quiet(findings: list[Finding], workplace: Workplace) -> tuple[Readings, list[Finding]]:
    for left in range(_TRIES, 0, -1):
        if not can_pass(findings):
            break
        if left == _TRIES:
            workplace.watcher.warned(f"waiting up to {_TRIES * _WINDOW_S:.0f} s for quiet: {_sentence(findings)}")
        readings = await look_around()
        findings = findings_of(readings)
        if not findings:
            return readings, findings
    raise UserMistake(
        "not_quiet",
        f"the machine is not quiet: {_sentence(findings)}",
        "end what disturbs, or measure anyway with --quiet warn; nothing was measured",
    )


def _sentence(findings: list[Finding]) -> str:
    return "; ".join(each["text"] for each in findings)


def _with_quiet(run: Run, quiet: dict[str, Any]) -> Run:
    return run.model_copy(update={"machine": {**run.machine, "quiet": quiet}})
