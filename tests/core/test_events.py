"""The legal order of a Round's Events, and what is refused."""

import json

import pytest

from harness.core.errors import ProtocolViolation
from harness.core.events import Conversation, Done, Event, Failed, Hello, Outputs, Phase, Refused, Samples, parse_event

HELLO = Hello(protocol=1, side="page", runtime={}, provenance={})
SAMPLES = Samples(phase="sample", clock="await", runs_per_sample=1, durations_ns=(1, 2))
FIRST, LAST = Outputs(iteration="first", tensors=()), Outputs(iteration="last", tensors=())
DONE = Done(stopped_by="budget")


def converse(*events: Event) -> Conversation:
    conversation = Conversation()
    for event in events:
        conversation.accept(event)
    return conversation


def test_a_whole_round_is_legal_and_ends_with_its_last_word() -> None:
    conversation = converse(HELLO, Phase(phase="load", duration_ns=1), SAMPLES, FIRST, LAST, DONE)
    assert conversation.ended and conversation.last == DONE


def test_a_repeated_last_word_is_legal_because_its_ack_may_be_lost() -> None:
    assert converse(HELLO, SAMPLES, FIRST, LAST, DONE, DONE).ended


@pytest.mark.parametrize("word", [Failed(code="load_failed", reason="no"), Refused(reason="absent")])
def test_failing_is_legal_at_any_moment(word: Event) -> None:
    assert converse(word).ended
    assert converse(HELLO, word).ended
    assert converse(HELLO, SAMPLES, FIRST, word).ended


@pytest.mark.parametrize(
    "events",
    [
        (SAMPLES,),
        (HELLO, HELLO),
        (HELLO.model_copy(update={"protocol": 2}),),
        (HELLO, FIRST, LAST, DONE),
        (HELLO, SAMPLES, DONE),
        (HELLO, SAMPLES, FIRST, DONE),
        (HELLO, SAMPLES, FIRST, FIRST),
        (HELLO, SAMPLES, FIRST, LAST, DONE, SAMPLES),
        (HELLO, SAMPLES, FIRST, LAST, DONE, Failed(code="late", reason="late")),
        (HELLO, SAMPLES.model_copy(update={"phase": "warm"}), FIRST, LAST, DONE),
        (HELLO, SAMPLES.model_copy(update={"durations_ns": ()}), FIRST, LAST, DONE),
    ],
)
def test_what_is_out_of_order_is_a_violation(events: tuple[Event, ...]) -> None:
    with pytest.raises(ProtocolViolation):
        converse(*events)


@pytest.mark.parametrize("event", [HELLO, SAMPLES, FIRST, DONE, Refused(reason="absent")])
def test_what_is_said_is_what_is_heard(event: Event) -> None:
    assert parse_event(event.model_dump_json()) == event


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"event": "shout"}',
        '{"event": "alive", "more": 1}',
        '{"event":"done"}',
        "\u0000",
        "nan",
    ],
)
def test_garbage_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ProtocolViolation, match="not an Event"):
        parse_event(text)


def test_durations_must_not_be_negative() -> None:
    with pytest.raises(ProtocolViolation):
        parse_event(json.dumps({"event": "phase", "phase": "load", "duration_ns": -1}))
