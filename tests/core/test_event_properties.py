"""Whatever bytes arrive: an Event or a ProtocolViolation, and a Conversation that keeps its order."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core import events as wire
from harness.core.errors import ProtocolViolation
from harness.core.events import (
    Alive,
    Conversation,
    Done,
    Event,
    Failed,
    Hello,
    Note,
    Outputs,
    OutputTensor,
    Phase,
    Refused,
    Samples,
    parse_event,
)

BOUNDED = settings(deadline=None, max_examples=150)
TEXT = st.text(max_size=20)
NUMBER = st.one_of(st.integers(-(2**64), 2**64), st.floats(allow_nan=False, allow_infinity=False, width=32))
LEAF = st.one_of(st.none(), st.booleans(), NUMBER, TEXT)
VALUE = st.recursive(
    LEAF, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)), max_leaves=8
)
DATA = st.dictionaries(TEXT, VALUE, max_size=4)
DURATION = st.integers(0, 2**63 - 1)
SIZES = st.lists(st.integers(0, 2**40), max_size=4).map(tuple)
TENSORS = st.lists(st.builds(OutputTensor, name=TEXT, dtype=TEXT, shape=SIZES), max_size=2).map(tuple)
EVENT = st.one_of(
    st.builds(Hello, protocol=st.sampled_from([1, 2]), side=st.sampled_from(["native", "page"]),
              runtime=st.dictionaries(TEXT, TEXT, max_size=2), provenance=DATA),
    st.builds(Phase, phase=TEXT, duration_ns=DURATION, detail=DATA),
    st.builds(Samples, phase=st.sampled_from(["sample", "warm"]), clock=TEXT, runs_per_sample=st.integers(1, 2**31 - 1),
              durations_ns=st.lists(DURATION, max_size=4).map(tuple)),
    st.builds(Note, kind=st.sampled_from(["warning", "console", "progress"]), text=TEXT, data=DATA),
    st.builds(Outputs, iteration=st.sampled_from(["first", "last"]), tensors=TENSORS),
    st.builds(Alive),
    st.builds(Done, stopped_by=TEXT),
    st.builds(Failed, code=TEXT, reason=TEXT),
    st.builds(Refused, reason=TEXT),
)  # fmt: skip


@BOUNDED
@given(EVENT)
def test_an_event_crosses_the_wire_unchanged(event: Event) -> None:
    assert parse_event(event.model_dump_json()) == event
    assert parse_event(json.dumps(event.model_dump(mode="json"))) == event


@BOUNDED
@given(st.one_of(st.binary(max_size=200), VALUE.map(lambda value: json.dumps(value).encode())))
def test_any_bytes_are_an_event_or_a_violation(raw: bytes) -> None:
    try:
        event = parse_event(raw)
    except ProtocolViolation as violation:
        assert "\n" not in str(violation) and len(str(violation)) < 400
    else:
        assert parse_event(event.model_dump_json()) == event


@BOUNDED
@given(EVENT, st.integers(0, 10_000), st.integers(0, 255))
def test_an_event_with_one_byte_changed_is_an_event_or_a_violation(event: Event, where: int, byte: int) -> None:
    raw = bytearray(event.model_dump_json().encode())
    raw[where % len(raw)] = byte
    with contextlib.suppress(ProtocolViolation):
        parse_event(bytes(raw))


@BOUNDED
@given(st.lists(EVENT, max_size=12))
def test_a_conversation_keeps_its_order_whatever_it_hears(heard: list[Event]) -> None:
    conversation = Conversation()
    accepted: list[Event] = []
    for event in heard:
        ended, last = conversation.ended, conversation.last
        try:
            conversation.accept(event)
        except ProtocolViolation:
            assert not isinstance(event, Failed | Refused) or ended, "failing is legal at any moment before the end"
        else:
            accepted.append(event)
        if ended:
            assert conversation.last is last, "once ended it stays ended, by the same word"
    words = [event for event in accepted if isinstance(event, Done | Failed | Refused)]
    assert conversation.ended == bool(words)
    assert len({event.model_dump_json() for event in words}) <= 1
    before_end = accepted[: accepted.index(words[0])] if words else accepted
    assert sum(isinstance(event, Hello) for event in before_end) <= 1
    assert not before_end or isinstance(before_end[0], Hello)
    if words and isinstance(words[0], Done):
        assert {event.iteration for event in before_end if isinstance(event, Outputs)} == {"first", "last"}
        assert any(
            isinstance(event, Samples) and event.phase == "sample" and event.durations_ns for event in before_end
        )


NESTED = json.loads("[" * 40 + "]" * 40)


def note(kind: str, data: Any) -> dict[str, Any]:
    return {"event": "note", "kind": kind, "text": "", "data": data}


def samples(*durations: Any, runs: Any = 1) -> dict[str, Any]:
    return {"event": "samples", "phase": "sample", "clock": "c", "runs_per_sample": runs, "durations_ns": durations}


@pytest.mark.parametrize(
    "message",
    [
        {"event": "phase", "phase": "load", "duration_ns": 2**63},
        {"event": "phase", "phase": "load", "duration_ns": 1.5},
        {"event": "phase", "phase": "load", "duration_ns": 1, "detail": {"a": NESTED}},
        {"event": "phase", "phase": "x" * 1_000_001, "duration_ns": 1},
        samples(2**63), samples(-1), samples(float("nan")), samples(float("inf")), samples(None), samples(True, "a"),
        samples(1, runs=2**31), samples(1, runs=0), samples(1, runs=-1),
        note("provenance", {"runtime": [1]}), note("provenance", {"runtime": {"a": 1}}),
        note("provenance", {"a": NESTED}), note("provenance", {"a": float("nan")}),
        note("provenance", {"a": 10**39}), note("provenance", {"a": "x" * 1_000_001}),
        note("placement", {"providers": {"cpu": "many"}}), note("placement", {"providers": [1]}),
        note("placement", {"fallbacks": 3}), note("placement", {"fallbacks": [1]}),
        note("memory", {"peak_rss": 2**63}), note("memory", {"peak_rss": -(2**70)}),
        note("warning", {str(number): 0 for number in range(200_001)}),
        {"event": "hello", "protocol": 1, "side": "page", "runtime": {"a": None}, "provenance": {}},
        {"event": "hello", "protocol": 1, "side": "page", "runtime": {}, "provenance": {"a": float("inf")}},
        {"event": "outputs", "iteration": "first", "tensors": [{"name": "y", "dtype": "float32", "shape": [-1]}]},
        {"event": "outputs", "iteration": "middle", "tensors": []},
        {"event": "failed", "code": "\ud800", "reason": ""},
    ],
)  # fmt: skip
def test_what_the_store_could_not_hold_is_a_violation(message: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolation, match="not an Event"):
        parse_event(json.dumps(message))


def test_a_thousand_levels_are_a_violation_and_no_crash() -> None:
    with pytest.raises(ProtocolViolation):
        parse_event('{"event":"note","kind":"console","text":"","data":{"a":' + "[" * 1000 + "]" * 1000 + "}}")


def test_a_page_that_never_stops_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MOST_EVENTS", 5)
    monkeypatch.setattr(wire, "MOST_SAMPLES", 10)
    hello = Hello(protocol=1, side="page", runtime={}, provenance={})
    talker, sampler = Conversation(), Conversation()
    for conversation in (talker, sampler):
        conversation.accept(hello)
    for _ in range(4):
        talker.accept(Alive())
    with pytest.raises(ProtocolViolation, match="more than 5 events"):
        talker.accept(Alive())
    with pytest.raises(ProtocolViolation, match="more than 10 samples"):
        sampler.accept(Samples(phase="warm", clock="c", runs_per_sample=1, durations_ns=(1,) * 11))
    talker.accept(Failed(code="late", reason="the last word is always heard"))
    assert talker.ended
