"""The one message vocabulary of a native worker and of a page, and its legal order.

A line on a worker's stdout and a websocket frame from a page are the same JSON, so nothing behind
`execute` can know where a Sample came from.

Down:  case (or probe: say hello and wait for stop)
Up:    hello → (phase | samples | note | alive)* → outputs × 2 → done | failed | unsupported
Down:  ack of the last message (without it the sender repeats it on reconnect); stop at any time
"""

from typing import Annotated, Any, Literal, Union

from pydantic import Field, TypeAdapter, ValidationError

from harness.core.errors import ProtocolViolation
from harness.core.nouns import Artifact, Case, Frozen, LoopPolicy

PROTOCOL = 1


class Hello(Frozen):
    """First message: who speaks, with which versions, and what is knowable about the device."""

    event: Literal["hello"] = "hello"
    protocol: int
    side: Literal["native", "page"]
    runtime: dict[str, str] = Field(description="package → version of everything that will be measured")
    provenance: dict[str, Any] = Field(description="adapter, isolation, clock step, threads, visibility …")


class Phase(Frozen):
    """A finished phase. `warm` says in `detail` whether it became steady and after how many iterations."""

    event: Literal["phase"] = "phase"
    phase: str
    duration_ns: int = Field(ge=0)
    detail: dict[str, Any] = Field(default_factory=dict)


class Samples(Frozen):
    """A batch of observations of one phase: `durations_ns[i]` is the time of `runs_per_sample` runs together."""

    event: Literal["samples"] = "samples"
    phase: str
    clock: str = Field(description="perf_counter, performance_now; for WebGPU submit, await, slope, timestamp")
    runs_per_sample: int = Field(ge=1)
    durations_ns: tuple[int, ...]


class Note(Frozen):
    """Something worth keeping that is no Sample: a warning, a console line, node placement, memory."""

    event: Literal["note"] = "note"
    kind: Literal["warning", "console", "placement", "provenance", "memory", "progress"]
    text: str
    data: dict[str, Any] = Field(default_factory=dict)


class OutputTensor(Frozen):
    name: str
    dtype: str
    shape: tuple[int, ...]


class Outputs(Frozen):
    """The bytes of one iteration's outputs have been delivered, one file per tensor in this order."""

    event: Literal["outputs"] = "outputs"
    iteration: Literal["first", "last"]
    tensors: tuple[OutputTensor, ...]


class Alive(Frozen):
    event: Literal["alive"] = "alive"


class Done(Frozen):
    event: Literal["done"] = "done"
    stopped_by: str = Field(description="budget, narrow, most_samples: the rule that ended sampling")


class Failed(Frozen):
    event: Literal["failed"] = "failed"
    code: str
    reason: str


class Refused(Frozen):
    """The runtime says that this cannot be done here, in its own words."""

    event: Literal["unsupported"] = "unsupported"
    reason: str


Event = Annotated[
    Union[Hello, Phase, Samples, Note, Outputs, Alive, Done, Failed, Refused], Field(discriminator="event")
]
LAST_WORDS = (Done, Failed, Refused)
_EVENT: TypeAdapter[Any] = TypeAdapter(Event)


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
    first_round: bool = Field(default=True, description="placement is asked for in a Case's first Round only")


class Probe(Frozen):
    """Down: say hello with everything that is knowable about this worker or page, then wait for `stop`."""

    event: Literal["probe"] = "probe"
    protocol: int = PROTOCOL


class Ack(Frozen):
    event: Literal["ack"] = "ack"


class Stop(Frozen):
    event: Literal["stop"] = "stop"


def parse_event(text: str | bytes) -> "Event":
    """One Event from its JSON; raises ProtocolViolation with a sentence when it is none."""
    try:
        event: Event = _EVENT.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise ProtocolViolation(f"not an Event: {where}: {first['msg']}") from error
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

    @property
    def ended(self) -> bool:
        return self.last is not None

    def accept(self, event: "Event") -> None:
        if self.last is not None:
            if event == self.last:
                return
            raise ProtocolViolation(f"{event.event} after {self.last.event}")
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
            self._sampled = self._sampled or (event.phase == "sample" and len(event.durations_ns) > 0)
        elif isinstance(event, Done):
            self._finish(event)

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
