"""A synthetic history as the journal would hold it: the same lines, one JSON record each, that `db rebuild` reads."""

from collections.abc import Iterator
from typing import Any

import orjson

from harness.core.events import PROTOCOL
from harness.core.nouns import Plan, PlannedCase, Policy
from harness.store.journal import plain
from tests.bench.synthetic import ROUNDS_PER_RUN, VERSIONS, Synthetic
from tests.bench.synthetic_rounds import CLOCK, PROVENANCE, RUNTIME, SAMPLES, Tables

_HELLO = {"event": "hello", "protocol": PROTOCOL, "side": "native"}
_PROVENANCE = {key: value for key, value in orjson.loads(PROVENANCE).items() if key != "artifact"}


def journal_lines(history: Synthetic) -> Iterator[tuple[str, list[bytes]]]:
    """Each Run's id and its lines, without their ends; one piece of the history in memory at a time."""
    number = 0
    for run_ids, piece in history.pieces():
        rounds = _rounds(piece)
        for run_id in run_ids:
            yield (
                run_id,
                [
                    orjson.dumps(record, option=orjson.OPT_SERIALIZE_NUMPY)
                    for record in _records(history, number, [next(rounds) for _ in range(ROUNDS_PER_RUN)])
                ],
            )
            number += 1


def _records(history: Synthetic, number: int, rounds: list[list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    run = history.run(number)
    planned = tuple(PlannedCase(case=case, versions=VERSIONS) for case in history.cases_of(number))
    begun = run.model_copy(update={"ended_at": None, "plan": Plan(cases=planned, policy=Policy())})
    yield {"record": "run", "run": plain(begun)}
    for records in rounds:
        yield from records
    yield {"record": "run_end", "ended_at": run.ended_at, "interrupted": False}


def _rounds(piece: Tables) -> Iterator[list[dict[str, Any]]]:
    """The records of each Round."""
    tables: dict[str, Any] = piece
    rounds, samples, verdicts = tables["rounds"], tables["recent_samples"], tables["verdicts"]
    durations = samples["duration_ns"].reshape(-1, SAMPLES)
    phases = tables["phases"]["duration_ns"].reshape(len(durations), -1)
    names = tables["phases"]["phase"][: phases.shape[1]]
    timed = 0
    for at, round_id in enumerate(rounds["round_id"]):
        key = {"round_id": round_id}
        began = {name: rounds[name][at] for name in ("case_id", "number", "started_at")}
        records = [
            {"record": "round", **key, **began, "started_at": f"{began['started_at']}+00:00", "artifact": "0" * 64}
        ]
        end = {"record": "round_end", **key, **{name: rounds[name][at] for name in ("outcome", "code", "reason")}}
        end["memory_bytes"] = {}
        hello = {**_HELLO, "runtime": orjson.loads(RUNTIME), "provenance": _PROVENANCE}
        records.append({"record": "event", **key, "event": hello})
        if rounds["outcome"][at] == "ok":
            events = [
                *(
                    {"event": "phase", "phase": name, "duration_ns": duration, "detail": {}}
                    for name, duration in zip(names, phases[timed].tolist(), strict=True)
                ),
                {
                    "event": "samples", "phase": "sample", "clock": CLOCK, "runs_per_sample": 1,
                    "durations_ns": durations[timed],
                },
                {"event": "done", "stopped_by": "narrow"},
            ]  # fmt: skip
            records += [{"record": "event", **key, "event": event} for event in events]
            verdict = {name: column[timed] for name, column in verdicts.items() if name != "round_id"}
            records.append({"record": "verdict", **key, "verdict": verdict})
            end["memory_bytes"] = {"tree_hwm_rss": int(tables["memory"]["size_bytes"][timed])}
            timed += 1
        records.append(end)
        yield records
