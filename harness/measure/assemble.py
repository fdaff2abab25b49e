"""Journal records → the Run and its Rounds, purely; measuring and `db rebuild` both go through here.

What notes carry in `data`:
    provenance   anything, merged into the Round's provenance; its key `runtime` (package → version) into the runtime
    placement    `providers` (execution provider → nodes), `fallbacks` (operators), `fallback_share` (of nodes);
                 whatever else is there goes to provenance["placement"]
    memory       source → bytes; of a source named twice the higher stays
    warning      nothing: the text is kept
Console lines and progress stay in the journal only.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from harness.core.errors import ProtocolViolation
from harness.core.events import Done, Event, Hello, Note, Phase, Samples
from harness.core.rounds import Round, Run, Verdict

_EVENT: TypeAdapter[Any] = TypeAdapter(Event)


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
                run = Run.model_validate(record["run"])
            elif kind == "run_end" and run is not None:
                run = run.model_copy(update={"ended_at": record["ended_at"], "interrupted": record["interrupted"]})
            elif kind == "round":
                started[round_id] = [record]
            elif kind in ("event", "verdict", "round_end") and round_id in started:
                started[round_id].append(record)
                if kind == "round_end":
                    if run is None:
                        raise ProtocolViolation("it ended before its Run began")
                    rounds[round_id] = assemble_round(run.run_id, started.pop(round_id))
            else:
                dropped.append(f"a record {kind!r} that belongs to nothing (round {record.get('round_id')})")
        except (ValidationError, KeyError, ProtocolViolation) as error:
            started.pop(round_id, None)
            dropped.append(f"{kind} {round_id if kind != 'run' else ''}: not readable: {_brief(error)}")
    dropped += [f"round {round_id} was dropped: it never ended" for round_id in started]
    return Assembled(run, list(rounds.values()), tuple(dropped))


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
    for record in records[1:-1]:
        if record["record"] == "event":
            _take(fields, _EVENT.validate_python(record["event"]))
        elif record["record"] == "verdict":
            fields["verdict"] = Verdict.model_validate(record["verdict"])
    if begin.get("artifact") is not None:
        fields["provenance"]["artifact"] = begin["artifact"]
    _keep_peaks(fields["memory_bytes"], end.get("memory_bytes") or {})
    fields.update({key: end[key] for key in ("outcome", "code", "reason")})
    fields.update({key: begin[key] for key in ("round_id", "case_id", "number", "started_at")})
    return Round.model_validate({**fields, "run_id": run_id})


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
        if isinstance(size, int | float) and not isinstance(size, bool) and size > 0:
            into[source] = max(into.get(source, 0), int(size))


def _brief(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return f"no {error}" if isinstance(error, KeyError) else str(error)
