"""A worker or page that says anything legal: the Round can be read again and the database takes it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import ProtocolViolation
from harness.core.events import Conversation, Event, Failed, Hello, Samples, parse_event
from harness.core.nouns import PlannedCase
from harness.measure.assemble import assemble
from harness.show.as_json import run_as_json
from harness.show.table import results_table
from harness.steps.recording import rebuild
from harness.steps.results import metrics_of, results_of
from harness.store.database import open_for_writing
from harness.store.ingest import ingest_run
from harness.store.journal import Journal, journal_path, plain, read_journal
from harness.store.results import read_run
from tests.core.test_event_properties import DATA, EVENT, VALUE
from tests.store.made_up import case, round_records, run

CASE = case("webgpu")
RUN = run(PlannedCase(case=CASE))
KNOWN = (
    "clock_step_ns", "webgpu", "wait_floor_ns", "threads", "fallback_share",
    "isolated", "visibility", "browser", "steal_share", "isolation",
)  # fmt: skip
# What the results look at, holding anything.
PROVENANCE = st.dictionaries(st.sampled_from(KNOWN), st.one_of(VALUE, DATA), max_size=8)
MEMORY = st.dictionaries(st.text(max_size=8), st.one_of(st.integers(-5, 2**63 - 1), VALUE), max_size=3)


def note(kind: str, data: Any) -> Event | None:
    try:
        return parse_event(json.dumps({"event": "note", "kind": kind, "text": "t", "data": data}))
    except ProtocolViolation:
        return None


NOTES = st.one_of(
    PROVENANCE.map(lambda data: note("provenance", data)),
    DATA.map(lambda data: note("placement", data)),
    MEMORY.map(lambda data: note("memory", data)),
)
SAMPLES = st.builds(
    Samples, phase=st.just("sample"), clock=st.sampled_from(["await", "submit", "odd"]),
    runs_per_sample=st.sampled_from([1, 7, 2**31 - 1]),
    durations_ns=st.lists(st.one_of(st.integers(0, 3), st.integers(0, 2**63 - 1)), max_size=30).map(tuple),
)  # fmt: skip


def round_of(number: int, heard: list[Event | None], provenance: dict[str, Any], outcome: str) -> list[dict[str, Any]]:
    """What the journal holds of a Round in which this was said, as far as the legal order lets it."""
    conversation = Conversation()
    begin = {"record": "round", "round_id": f"r{number}", "case_id": CASE.case_id, "number": number, "artifact": "abc"}
    kept: list[Any] = [{**begin, "started_at": "2026-01-02T03:04:05+00:00"}]
    hello: Event = Hello(protocol=1, side="page", runtime={}, provenance=provenance)
    for event in [hello, *(each for each in heard if each is not None)]:
        try:
            conversation.accept(event)
        except ProtocolViolation as error:
            event = Failed(code="protocol", reason=str(error))
        kept.append({"record": "event", "round_id": f"r{number}", "event": event})
        if conversation.ended or isinstance(event, Failed):
            break
    end = {"outcome": outcome, "code": None if outcome == "ok" else "protocol", "reason": None}
    return [plain(record) for record in (*kept, {"record": "round_end", "round_id": f"r{number}", **end})]


@pytest.fixture(scope="module")
def open_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One for all examples: each of them replaces the Rounds of the last."""
    con = open_for_writing(tmp_path_factory.mktemp("hostile") / "h.duckdb")
    yield con
    con.close()


@pytest.mark.long
@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.one_of(NOTES, SAMPLES, EVENT.filter(lambda event: not isinstance(event, Hello))), max_size=8),
    PROVENANCE, st.sampled_from(["ok", "ok", "failed"]), st.integers(1, 3),
)  # fmt: skip
def test_whatever_was_said_the_round_is_kept_and_shown(
    open_database: Any,
    heard: list[Event | None],
    provenance: dict[str, Any],
    outcome: str,
    rounds: int,
) -> None:
    said: list[dict[str, Any]] = [plain({"record": "run", "run": RUN})]
    for number in range(1, rounds + 1):
        said += round_of(number, heard, provenance, outcome)
    assembled = assemble(said)
    assert (assembled.dropped, len(assembled.rounds)) == ((), rounds)
    results = results_of(RUN, assembled.rounds)
    ingest_run(open_database, RUN, [(one, metrics_of(one, CASE)) for one in assembled.rounds], results)
    assert [result.outcome for _, result in results] == [outcome]
    json.dumps(run_as_json(RUN, results), allow_nan=False)
    results_table(results, 120)


def write_journal(path: Path, *rounds: int) -> list[dict[str, Any]]:
    with Journal(path) as journal:
        records = [{"record": "run", "run": RUN}, *(one for number in rounds for one in round_records(CASE, number))]
        return [journal.append(record) for record in records]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("journal") / "j.jsonl"
    write_journal(path, 1, 2)
    return path.read_bytes()


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_journal_damaged_anywhere_is_read_and_what_is_whole_is_kept(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.jsonl"
    where = data.draw(st.integers(0, len(content)))
    damage = data.draw(st.binary(max_size=40))
    gone = data.draw(st.integers(0, 400))
    after = content[where + gone :] if data.draw(st.booleans()) else b""
    path.write_bytes(content[:where] + damage + after)
    found = read_journal(path)
    whole = [json.loads(line) for line in content[:where].split(b"\n")[:-1]]
    assert found.records[: len(whole)] == whole, "what lies before the damage is untouched"
    untouched = [json.loads(line) for line in after.split(b"\n")[1:] if line] if after.endswith(b"\n") else []
    assert not untouched or found.records[-len(untouched) :] == untouched, "and what lies behind it"
    assembled = assemble(found.records)
    assert len(assembled.rounds) <= 2


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_selection_of_records_is_assembled(content: bytes, data: st.DataObject) -> None:
    records = [json.loads(line) for line in content.splitlines()]
    chosen = data.draw(st.lists(st.sampled_from(records), max_size=2 * len(records)))
    found = assemble(chosen)
    begun = {json.dumps(record["round_id"]) for record in chosen if record["record"] == "round"}
    ended = {json.dumps(record["round_id"]) for record in chosen if record["record"] == "round_end"}
    assert len(found.rounds) <= len(begun & ended)


@pytest.mark.parametrize(
    ("record", "key", "value"),
    [
        ("round", "started_at", "tomorrow"), ("round", "started_at", 5), ("round", "number", 2**40),
        ("round", "case_id", None), ("round_end", "outcome", "great"), ("round_end", "memory_bytes", [1]),
        ("event", "event", 3), ("event", "event", {"event": "phase", "phase": "load", "duration_ns": 2**63}),
        ("verdict", "verdict", {"checked": "maybe"}), ("round_end", "reason", "\ud800"),
    ],
)  # fmt: skip
def test_one_damaged_round_costs_that_round_and_no_other(tmp_path: Path, record: str, key: str, value: Any) -> None:
    database = tmp_path / "h.duckdb"
    path = journal_path(database, RUN.run_id)
    records = write_journal(path, 1, 2)
    damaged = next(each for each in records if each["record"] == record)
    damaged[key] = value
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    warned: list[str] = []
    assert rebuild(database, warned.append) == 1
    _, shown = read_run(database)
    assert [result.rounds for _, result in shown] == [1]
    assert any("not readable" in word for word in warned)


def test_a_deep_line_is_damage_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text('{"record": "event", "event": ' + "[" * 100_000 + "]" * 100_000 + '}\n{"record": "after"}\n')
    found = read_journal(path)
    assert found.records == [{"record": "after"}] and len(found.corrupt) == 1


def test_what_the_tables_cannot_hold_does_not_dam_up_the_rest(tmp_path: Path) -> None:
    from harness.store.live import LiveStore

    warned: list[str] = []
    store = LiveStore(tmp_path / "h.duckdb", warned.append)
    store.begin(RUN, [], [])
    good = assemble([plain({"record": "run", "run": RUN}), *map(plain, round_records(CASE, 1))]).rounds[0]
    # Not reachable from the wire any more; a metric of tomorrow may still be wrong.
    results = results_of(RUN, [good])
    store.add(good.model_copy(update={"phases": {"load": 2**70}, "round_id": "bad"}), {}, *results[0])
    store.add(good, {}, *results[0])
    store.end(RUN)
    assert [result.rounds for _, result in read_run(tmp_path / "h.duckdb")[1]] == [1]
    assert len(warned) == 1 and "cannot hold" in warned[0]
