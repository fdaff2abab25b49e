"""Journal records → the Run and its Rounds, purely; measuring and `db rebuild` both go through here.

Records: `run`, then `point` (one of the Plan whose export failed), `quiet` (the machine before the first Round) and
`roofs` (what it reaches, where that was asked for), `round` … `event` … `verdict` … `round_end`, then `run_end`; after
it `resumed`, where the Run was gone on with.

What notes carry in `data`:
    provenance   anything, merged into the Round's provenance; its key `runtime` (package → version) into the runtime
    placement    `providers` (execution provider → nodes), `fallbacks` (operators), `fallback_share` (of nodes);
                 whatever else is there goes to provenance["placement"]
    memory       source → bytes; of a source named twice the higher stays
    warning      nothing: the text is kept
    profile      a `core.events.Profile`
Console lines are kept as warnings where the Round failed, the first of them; else they stay in the journal, as progress
does.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from harness.core.errors import ProtocolViolation
from harness.core.events import Done, Event, Hello, Note, Phase, Profile, Samples
from harness.core.nouns import LEFT_OUT, PlannedCase
from harness.core.rounds import Round, Run, Verdict
from harness.core.text import one_line
from harness.core.values import INT64_MOST, moment

_EVENT: TypeAdapter[Any] = TypeAdapter(Event)
# What nobody caught tells most, then the first lines; the journal has the others. Runtimes print in colours.
_MOST_CONSOLE_LINES = 5
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# What damage in a journal can lead to: wrong types, absent keys, numbers and depths that nothing here can hold.
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, ProtocolViolation)


class Assembled(NamedTuple):
    """The Run (None when the journal holds none), its finished Rounds in order, and what was left out and why."""

    run: Run | None
    rounds: list[Round]
    dropped: tuple[str, ...]


def assemble(records: Iterable[Mapping[str, Any]]) -> Assembled:
    """All of a journal. A Round without its end (killed) or not readable is dropped, and said so."""
    run: Run | None = None
    started: dict[str, list[Mapping[str, Any]]] = {}
    rounds: dict[str, Round] = {}
    dropped: list[str] = []
    for record in records:
        kind, round_id = record.get("record"), str(record.get("round_id"))
        try:
            if kind == "run":
                run = _run(record["run"], run)
            elif kind == "run_end" and run is not None:
                run = run_ended(run, record)
            elif kind == "resumed" and run is not None:
                run = run_resumed(run, record["at"])
            elif kind == "point" and run is not None:
                run = with_point(run, PlannedCase.model_validate(record["point"]))
            elif kind == "quiet" and run is not None:
                run = run.model_copy(update={"machine": {**run.machine, "quiet": record["quiet"]}})
            elif kind == "roofs" and run is not None:
                run = run.model_copy(update={"machine": {**run.machine, "roofs": record["roofs"]}})
            elif kind == "round":
                started[round_id] = [record]
            elif kind in ("event", "verdict", "round_end") and round_id in started:
                started[round_id].append(record)
                if kind == "round_end":
                    if run is None:
                        raise ProtocolViolation("it ended before its Run began")
                    rounds[round_id] = assemble_round(run.run_id, started.pop(round_id))
            else:
                dropped.append(
                    f"a record {one_line(repr(kind), 60)} that belongs to nothing (round {one_line(round_id, 60)})"
                )
        except _UNREADABLE as error:
            started.pop(round_id, None)
            which = "" if kind in ("run", "run_end") else f" {one_line(round_id, 60)}"
            dropped.append(f"{kind}{which}: not readable: {_brief(error)}")
    dropped += [f"round {one_line(round_id, 60)} was dropped: it never ended" for round_id in started]
    return Assembled(run, list(rounds.values()), tuple(dropped))


def with_point(run: Run, point: PlannedCase) -> Run:
    """The Run with one point of its Plan as it is known by now: its export failed, say."""
    cases = tuple(point if one.case.case_id == point.case.case_id else one for one in run.plan.cases)
    return run.model_copy(update={"plan": run.plan.model_copy(update={"cases": cases})})


def run_resumed(run: Run, at: str) -> Run:
    """The Run in its next sitting: it has no end yet, how quiet the machine is has to be asked anew (what was found in
    earlier sittings stays beside it), and what could not be exported, or was left out for what had gone before or for
    want of memory, is tried or left out again."""
    machine = {key: value for key, value in run.machine.items() if key != "quiet"}
    if "quiet" in run.machine:
        machine["quiet_before"] = [*run.machine.get("quiet_before", []), run.machine["quiet"]]
    cases = tuple(
        point.model_copy(update={"outcome": None, "code": None, "reason": None}) if _open_again(point) else point
        for point in run.plan.cases
    )
    sitting = {"ended_at": None, "interrupted": False, "resumed_at": (*run.resumed_at, at), "machine": machine}
    return run.model_copy(update={**sitting, "plan": run.plan.model_copy(update={"cases": cases})})


def _open_again(point: PlannedCase) -> bool:
    return point.outcome == "failed" or point.code in LEFT_OUT


def run_ended(run: Run, end: Mapping[str, Any]) -> Run:
    """The Run as its `run_end` record leaves it; `quiet_end` (not in old journals) joins what was read at the start."""
    moment(end["ended_at"])
    changes: dict[str, Any] = {"ended_at": end["ended_at"], "interrupted": bool(end["interrupted"])}
    if end.get("quiet_end") is not None:
        quiet = {**run.machine.get("quiet", {}), "end": end["quiet_end"]}
        changes["machine"] = {**run.machine, "quiet": quiet}
    return run.model_copy(update=changes)


def _run(told: Any, before: Run | None) -> Run:
    """The Run of a record; raises ProtocolViolation for a second one, which would take the first one's Rounds."""
    run = Run.model_validate(told)
    moment(run.started_at)
    if before is not None and before.run_id != run.run_id:
        raise ProtocolViolation(f"another Run, {one_line(run.run_id, 60)}, in the journal of {before.run_id}")
    return run


def assemble_round(run_id: str, records: Sequence[Mapping[str, Any]]) -> Round:
    """One Round from its own records: `round` first, `round_end` last.

    Raises KeyError or ValidationError when a record lacks what it must have, ProtocolViolation without begin or end.
    """
    begin, end = records[0], records[-1]
    if begin.get("record") != "round" or end.get("record") != "round_end":
        raise ProtocolViolation("a Round's records begin with `round` and end with `round_end`")
    fields: dict[str, Any] = {
        "runtime": {},
        "provenance": {},
        "phases": {},
        "phase_details": {},
        "samples": [],
        "memory_bytes": {},
        "notes": [],
    }
    console: list[str] = []
    for record in records[1:-1]:
        if record["record"] == "event":
            event = _EVENT.validate_python(record["event"])
            _take(fields, event)
            if isinstance(event, Note) and event.kind == "console":
                console.append(f"console: {_COLOURS.sub('', event.text)}")
        elif record["record"] == "verdict":
            fields["verdict"] = Verdict.model_validate(record["verdict"])
    _merge(fields["provenance"], begin.get("about") or {})
    if begin.get("artifact") is not None:
        fields["provenance"]["artifact"] = begin["artifact"]
    _keep_peaks(fields["memory_bytes"], end.get("memory_bytes") or {})
    fields.update({key: end[key] for key in ("outcome", "code", "reason")})
    if end["outcome"] == "failed":
        fields["notes"] += sorted(console, key=_is_chatter)[:_MOST_CONSOLE_LINES]
    fields.update({key: begin[key] for key in ("round_id", "case_id", "number", "started_at")})
    fields["purpose"] = begin.get("purpose", "timing")  # journals of before there were others do not say it
    moment(begin["started_at"])
    return Round.model_validate({**fields, "run_id": run_id})


def _is_chatter(line: str) -> bool:
    return not line.startswith("console: page error:")


def _take(fields: dict[str, Any], event: Any) -> None:
    """Fold one Event into the Round's fields; what is not named here is not part of a Round."""
    if isinstance(event, Hello):
        fields["runtime"].update(event.runtime)
        _merge(fields["provenance"], event.provenance)
    elif isinstance(event, Phase):
        fields["phases"][event.phase] = event.duration_ns
        fields["phase_details"][event.phase] = event.detail
    elif isinstance(event, Samples):
        fields["samples"].append(event)
    elif isinstance(event, Note):
        _take_note(fields, event)
    elif isinstance(event, Done):
        fields["stopped_by"] = event.stopped_by


def _take_note(fields: dict[str, Any], note: Note) -> None:
    data = dict(note.data)
    if note.kind == "warning":
        fields["notes"].append(note.text)
    elif note.kind == "memory":
        _keep_peaks(fields["memory_bytes"], data)
    elif note.kind == "provenance":
        fields["runtime"].update(data.pop("runtime", None) or {})
        _merge(fields["provenance"], data)
    elif note.kind == "profile":
        fields["profile"] = Profile.model_validate(data)
    elif note.kind == "placement":
        nodes, fallbacks = data.pop("providers", None), data.pop("fallbacks", None)
        fields["placement"] = nodes if nodes is not None else fields.get("placement")
        fields["fallbacks"] = tuple(fallbacks) if fallbacks is not None else fields.get("fallbacks", ())
        if "fallback_share" in data:
            fields["provenance"]["fallback_share"] = data.pop("fallback_share")
        if data:
            _merge(fields["provenance"], {"placement": data})


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Later words win, but inside a mapping key by key: a note about the adapter does not wipe out the hello's."""
    for key, value in more.items():
        if isinstance(value, Mapping):
            known = into.get(key)
            # A fresh dict, so that an Event, which is frozen, is never changed through what was taken from it.
            fresh = dict(known) if isinstance(known, Mapping) else {}
            _merge(fresh, value)
            into[key] = fresh
        else:
            into[key] = value


def _keep_peaks(into: dict[str, int], more: Mapping[str, Any]) -> None:
    for source, size in more.items():
        # Zero is what a probe says of a process that is gone, not a peak.
        if isinstance(size, int | float) and not isinstance(size, bool) and 0 < size <= INT64_MOST:
            into[source] = max(into.get(source, 0), int(size))


def _brief(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_context=False)[0]
        return one_line(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}", 200)
    return one_line(f"no {error}" if isinstance(error, KeyError) else str(error), 200)
