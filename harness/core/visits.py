"""What a device that opened our URL and the conductor say to each other, outside of Rounds.

Up, once per connection: `visitor`. Down: `state`, all of it each time, so that a line that was cut is caught up with by
one message; or `taken`, where another browser has the place.
"""

from typing import Annotated, Literal, Union

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from harness.core.errors import ProtocolViolation
from harness.core.nouns import Frozen, Outcome
from harness.core.text import one_line

# A device's name, as in `--browser attached@phone`; "" is the one without a name.
DEVICE_NAME = r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
_Short = Annotated[str, StringConstraints(max_length=100)]


class Visitor(Frozen):
    """What a browser says of itself; nobody else can say it."""

    event: Literal["visitor"] = "visitor"
    page: str = Field(pattern=r"^[0-9a-z]{1,40}$", description="which load of the page it is")
    user_agent: Annotated[str, StringConstraints(max_length=1000)]
    brands: Annotated[tuple[_Short, ...], Field(max_length=10)] = Field(
        description="`name version` of navigator.userAgentData, the full ones where it tells them"
    )
    screen: _Short = Field(description="390×844 @3, in CSS pixels with their ratio")
    visibility: _Short
    secure: bool = Field(description="whether it is a secure context: without one there is no WebGPU and no isolation")
    isolated: bool
    webgpu: bool
    webnn: bool


class Order(Frozen):
    """The Round to show now: its page, relative to the visitor's own, and what to call it."""

    url: str
    what: str
    number: int = Field(description="1 for the first Round of this device in this run")


class Told(Frozen):
    """How a Round ended, as the terminal says it."""

    what: str
    outcome: Outcome
    reason: str | None


class State(Frozen):
    """Where the run stands for this device."""

    event: Literal["state"] = "state"
    device: str
    rounds: int = Field(description="for this device, at most")
    cases: tuple[str, ...] = Field(description="what comes, in words")
    ended: int = Field(description="how many of the Rounds have")
    told: tuple[Told, ...] = Field(description="the latest ones that have ended, the last one last")
    order: Order | None
    over: bool


class Taken(Frozen):
    event: Literal["taken"] = "taken"


LobbyDown = Union[State, Taken]
_VISITOR: TypeAdapter[Visitor] = TypeAdapter(Visitor)


def parse_visitor(text: str | bytes) -> Visitor:
    """What a browser says of itself, from its JSON; raises ProtocolViolation with a sentence when it is not that."""
    try:
        return _VISITOR.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise ProtocolViolation(f"not a visitor: {one_line(where, 80)}: {one_line(first['msg'], 200)}") from error
