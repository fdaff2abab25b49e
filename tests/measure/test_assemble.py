"""Journal records → Rounds; what is killed or broken is dropped and said so."""

from harness.core.events import Note, parse_event
from harness.core.nouns import PlannedCase
from harness.measure.assemble import assemble
from harness.store.journal import plain
from tests.store.made_up import Record, case, round_records, run

CASE = case("webgpu")
RUN = run(PlannedCase(case=CASE))


def records(*more: Record) -> list[Record]:
    return [plain(record) for record in ({"record": "run", "run": RUN}, *more)]


def test_a_round_from_its_events() -> None:
    end = {"record": "run_end", "ended_at": "2026-01-02T04:00:00+00:00", "interrupted": True}
    found = assemble(records(*round_records(CASE, 1), end))
    assert found.dropped == ()
    assert found.run is not None
    assert (found.run.interrupted, found.run.ended_at) == (True, "2026-01-02T04:00:00+00:00")
    (one,) = found.rounds
    assert one.runtime == {"onnxruntime-web": "1.30.0", "more": "1"}
    # The later note adds to what hello said of the adapter.
    assert one.provenance["webgpu"] == {"software": True, "description": "SwiftShader", "vendor": "google"}
    assert one.provenance["artifact"] == "abc"
    assert one.placement == {"webgpu": 9, "cpu": 1}
    assert one.fallbacks == ("Gather",)
    # 5 MB in the note, 8 MB at the end: the peak stays.
    assert one.memory_bytes == {"tree_hwm_rss": 8_000_000}
    assert one.notes == ("a warning of round 1",)
    assert one.phases == {"load": 7_000_001, "warm": 70_000_000}
    assert len(one.per_run_ns()) == 14
    assert one.stopped_by == "budget"
    assert one.verdict is not None
    assert one.verdict.passed


def test_a_killed_round_is_dropped() -> None:
    whole, killed = round_records(CASE, 1), round_records(CASE, 2)[:-1]
    found = assemble(records(*whole, *killed))
    assert [one.number for one in found.rounds] == [1]
    assert found.dropped == (f"round {CASE.case_id}-2 was dropped: it never ended",)


def test_interleaved_rounds_do_not_mix() -> None:
    a, b = round_records(CASE, 1), round_records(CASE, 2)
    mixed = [record for pair in zip(a, b, strict=True) for record in pair]
    assert assemble(records(*mixed)).rounds == assemble(records(*a, *b)).rounds


def test_an_unreadable_event_drops_its_round_only() -> None:
    broken = round_records(CASE, 1)
    broken[2] = {"record": "event", "round_id": broken[0]["round_id"], "event": {"event": "phase"}}
    found = assemble(records(*broken, *round_records(CASE, 2)))
    assert [one.number for one in found.rounds] == [2]
    assert any("not readable" in word for word in found.dropped)


def test_strangers_are_named() -> None:
    found = assemble(records({"record": "verdict", "round_id": "nobody"}, {"record": "what"}))
    assert len(found.dropped) == 2
    assert assemble([]).run is None


def test_live_events_and_journal_events_are_the_same() -> None:
    event = round_records(CASE, 1)[1]["event"]
    assert parse_event(event.model_dump_json()) == event


def test_of_a_failed_round_the_console_is_kept_what_nobody_caught_first() -> None:
    lines = [*(f"error: \x1b[0;93mline {number}\x1b[m" for number in range(9)), "page error: stray"]
    notes = [
        {"record": "event", "round_id": f"{CASE.case_id}-1", "event": Note(kind="console", text=text)} for text in lines
    ]
    first, *middle, end = round_records(CASE, 1)
    (well,) = assemble(records(first, *middle, *notes, end)).rounds
    assert well.notes == ("a warning of round 1",), "of one that went well it is in the journal"
    failed = {**end, "outcome": "failed", "code": "page_error", "reason": "stray"}
    (ill,) = assemble(records(first, *middle, *notes, failed)).rounds
    kept = ["page error: stray", *(f"error: line {number}" for number in range(4))]
    assert ill.notes == ("a warning of round 1", *(f"console: {line}" for line in kept))
