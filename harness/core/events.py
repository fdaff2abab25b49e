"""The one message vocabulary of a native worker and of a page, and its legal order.

A line on a worker's stdout and a websocket frame from a page are the same JSON, so nothing behind
`execute` can know where a Sample came from.

Down:  case (or probe: say hello and wait for stop)
Up:    hello → (phase | samples | note | alive | outputs, twice)* → done | failed | unsupported
Down:  ack of the last message (without it the sender repeats it on reconnect); stop at any time
"""

from typing import Annotated, Any, Literal, Self, Union

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from harness.core.errors import ProtocolViolation
from harness.core.nouns import Artifact, Case, Frozen, LoopPolicy, Purpose
from harness.core.text import one_line
from harness.core.values import INT64_MOST, Count, Data, Duration, Text

PROTOCOL = 1
# At four frames a second this is seven hours; without an end, a page that never stops would fill the disk.
MOST_EVENTS = 100_000
MOST_SAMPLES = 5_000_000
# The phases that a Round is about, by its purpose: timing, profile, audit.
SAMPLED = ("sample", "profiled", "repeated")


class Hello(Frozen):
    """First message: who speaks, with which versions, and what is knowable about the device."""

    event: Literal["hello"] = "hello"
    protocol: int
    side: Literal["native", "page"]
    runtime: dict[Text, Text] = Field(description="package → version of everything that will be measured")
    provenance: Data = Field(description="adapter, isolation, clock step, threads, visibility …")


class Phase(Frozen):
    """A finished phase. `warm` says in `detail` whether it became steady and after how many iterations."""

    event: Literal["phase"] = "phase"
    phase: Text
    duration_ns: Duration
    detail: Data = Field(default_factory=dict)


class Samples(Frozen):
    """A batch of observations of one phase: `durations_ns[i]` is the time of `runs_per_sample` runs together."""

    event: Literal["samples"] = "samples"
    phase: Text
    clock: Text = Field(description="perf_counter, performance_now; for WebGPU submit, await, slope, timestamp")
    runs_per_sample: Count
    durations_ns: tuple[Duration, ...]


class Note(Frozen):
    """Something worth keeping that is no Sample: a warning, a console line, node placement, memory."""

    event: Literal["note"] = "note"
    kind: Literal["warning", "console", "placement", "provenance", "memory", "progress", "profile"]
    text: Text
    data: Data = Field(default_factory=dict)

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        """What a Round takes from `data` has the type that the Round keeps, else the Round could not be read again."""
        if self.kind == "provenance":
            _NAMES.validate_python(self.data.get("runtime") or {})
        elif self.kind == "placement":
            _NODES.validate_python(self.data.get("providers"))
            _OPERATORS.validate_python(self.data.get("fallbacks"))
        elif self.kind == "profile":
            _PROFILE.validate_python(self.data)
        elif self.kind == "memory" and any(
            isinstance(size, int | float) and abs(size) > INT64_MOST for size in self.data.values()
        ):
            raise ValueError("a memory size beyond what 64 bits hold")
        return self


class Operator(Frozen):
    """What one kind of operator took on one device, all of its calls in all profiled runs together."""

    operator: Text = Field(description="the backend's own name of its type: MatMul, aten::addmm, FullyConnected")
    device: Text = Field(description="execution provider or device as the backend names it")
    count: int = Field(ge=0, le=INT64_MOST, description="calls")
    self_ns: Duration = Field(description="without what it called")
    fallback: bool = Field(default=False, description="it ran elsewhere than on the device that was asked for")


class Profile(Frozen):
    """Per-operator times by the backend's own profiler; what its runs took stands in the Samples of phase `profiled`,
    what they take without it in those of phase `unprofiled`."""

    source: Text = Field(description="the profiler, in words")
    runs: Count
    operators: tuple[Operator, ...]


_PROFILE: TypeAdapter[Any] = TypeAdapter(Profile)
_NAMES: TypeAdapter[Any] = TypeAdapter(dict[Text, Text])
_NODES: TypeAdapter[Any] = TypeAdapter(dict[Text, Annotated[int, Field(ge=0, le=INT64_MOST)]] | None)
_OPERATORS: TypeAdapter[Any] = TypeAdapter(tuple[Text, ...] | None)


class OutputTensor(Frozen):
    name: Text
    dtype: Text
    shape: tuple[Annotated[int, Field(ge=0, le=INT64_MOST)], ...]


class Outputs(Frozen):
    """The bytes of one iteration's outputs have been delivered, one file per tensor in this order."""

    event: Literal["outputs"] = "outputs"
    iteration: Literal["first", "last"]
    tensors: tuple[OutputTensor, ...]


class Alive(Frozen):
    event: Literal["alive"] = "alive"


class Done(Frozen):
    event: Literal["done"] = "done"
    stopped_by: Text = Field(description="budget, narrow, most_samples: the rule that ended sampling")


class Failed(Frozen):
    event: Literal["failed"] = "failed"
    code: Text
    reason: Text


class Refused(Frozen):
    """The runtime says that this cannot be done here, in its own words."""

    event: Literal["unsupported"] = "unsupported"
    reason: Text


Event = Annotated[
    Union[Hello, Phase, Samples, Note, Outputs, Alive, Done, Failed, Refused], Field(discriminator="event")
]
LAST_WORDS = (Done, Failed, Refused)
_EVENT: TypeAdapter[Any] = TypeAdapter(Event)


_PURPOSE = "profile: operators instead of samples; audit: the frozen inputs against varied ones, and the clock"
_HEARD = "how many of the page's frames came over earlier connections: it goes on behind them"


class CaseMessage(Frozen):
    """Down: what to measure. `base` is a folder for a worker, a URL prefix for a page; so is `outputs_to`."""

    event: Literal["case"] = "case"
    protocol: int = PROTOCOL
    round_id: str
    case: Case
    artifact: Artifact
    base: str
    outputs_to: str
    policy: LoopPolicy
    runtime_base: str | None = Field(
        default=None, description="URL prefix of the runtime whose version was asked for; null: the page's own"
    )
    purpose: Purpose = Field(default="timing", description=_PURPOSE)
    first_round: bool = Field(default=True, description="placement is asked for in a Case's first Round only")
    rehearse_for: str | None = Field(
        default=None, description="load and run once without a word, then load the page again with this token"
    )
    pause: bool = Field(default=False, description="wait for a person before the first iteration")
    heard: int = Field(default=0, description=_HEARD)


class Probe(Frozen):
    """Down: say hello with everything that is knowable about this worker or page, then wait for `stop`."""

    event: Literal["probe"] = "probe"
    protocol: int = PROTOCOL
    calibrate: bool = Field(default=False, description="then say what a GPU's clocks make of a kernel of known cost")
    heard: int = Field(default=0, description=_HEARD)


class Ack(Frozen):
    event: Literal["ack"] = "ack"
    said: Text | None = Field(default=None, description="for who opened the page by hand: what came of it")


class Stop(Frozen):
    event: Literal["stop"] = "stop"


def parse_event(text: str | bytes) -> "Event":
    """One Event from its JSON; raises ProtocolViolation with a sentence when it is none."""
    try:
        event: Event = _EVENT.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise ProtocolViolation(f"not an Event: {one_line(where, 80)}: {one_line(first['msg'], 200)}") from error
    return event


class Conversation:
    """The legal order of one Round's Events, without sockets: `accept` each Event, ask `ended`.

    Raises ProtocolViolation on the first Event out of order; a repeated last word is legal (its ack was lost).
    """

    def __init__(self) -> None:
        self.hello: Hello | None = None
        self.last: Done | Failed | Refused | None = None
        self.outputs: dict[str, Outputs] = {}
        self._sampled = False
        self._events = 0
        self._samples = 0

    @property
    def ended(self) -> bool:
        return self.last is not None

    def accept(self, event: "Event") -> None:
        if self.last is not None:
            if event == self.last:
                return
            raise ProtocolViolation(f"{event.event} after {self.last.event}")
        self._count(event)
        if isinstance(event, Hello):
            self._greet(event)
        elif isinstance(event, Failed | Refused):
            self.last = event
        elif self.hello is None:
            raise ProtocolViolation(f"{event.event} before hello")
        elif isinstance(event, Outputs):
            if event.iteration in self.outputs:
                raise ProtocolViolation(f"outputs of the {event.iteration} iteration twice")
            self.outputs[event.iteration] = event
        elif isinstance(event, Samples):
            self._sampled = self._sampled or (event.phase in SAMPLED and len(event.durations_ns) > 0)
        elif isinstance(event, Done):
            self._finish(event)

    def _count(self, event: "Event") -> None:
        """An end to what one Round may say. The last word is always heard."""
        if isinstance(event, LAST_WORDS):
            return
        self._events += 1
        self._samples += len(event.durations_ns) if isinstance(event, Samples) else 0
        if self._events > MOST_EVENTS:
            raise ProtocolViolation(f"more than {MOST_EVENTS} events in one Round")
        if self._samples > MOST_SAMPLES:
            raise ProtocolViolation(f"more than {MOST_SAMPLES} samples in one Round")

    def _greet(self, hello: Hello) -> None:
        if self.hello is not None:
            raise ProtocolViolation("hello twice")
        if hello.protocol != PROTOCOL:
            raise ProtocolViolation(f"protocol {hello.protocol}, expected {PROTOCOL}")
        self.hello = hello

    def _finish(self, done: Done) -> None:
        if not self._sampled:
            raise ProtocolViolation("done without a sample")
        missing = {"first", "last"} - self.outputs.keys()
        if missing:
            raise ProtocolViolation(f"done without outputs of the {' and '.join(sorted(missing))} iteration")
        self.last = done
