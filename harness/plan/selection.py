"""What the user asked for, before anything is resolved; a spec file's keys are the flags' names."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictStr, ValidationError, field_validator

from harness.catalog import unknown
from harness.core.errors import UserMistake
from harness.core.nouns import PRECISION_ALIASES, Frozen, Isolation
from harness.core.ratios import LOOKS
from harness.core.statistics import LEAST_ROUNDS
from harness.core.text import one_line
from harness.core.units import human_bytes, parse_duration, parse_rate
from harness.core.values import INT32_MOST

# A spec of a thousand models is some 50 kB.
LARGEST_SPEC_BYTES = 1_000_000
# Strict: TOML's `true` is not 1, and "8" is not 8. No larger than the database's columns, or than all readers of JSON.
Size = Annotated[int, Field(strict=True, ge=1, le=INT32_MOST)]
# What `--until-decided` has where nobody says: Rounds of 1.5 s, since in less none gets steady.
MOST_ROUNDS = 20
DECIDING_BUDGET = "30s"
# More than any machine has; what this one has is asked when the Plan is made.
_MOST_CPUS = 4096
Cpu = Annotated[int, Field(strict=True, ge=0, lt=_MOST_CPUS)]
Seed = Annotated[int, Field(strict=True, ge=0, le=2**53 - 1)]


class Selection(Frozen):
    """SELECTION of the command line; tuples are sweeps."""

    model: tuple[str, ...] = ()
    family: tuple[StrictStr, ...] = ()
    set: tuple[StrictStr, ...] = ()
    all: StrictBool = False
    sample: Size | None = None
    task: str | None = None
    mode: Literal["inference", "training"] = "inference"
    weights: Literal["pretrained", "random"] | None = None
    scale: Literal["full", "tiny"] = "full"
    layers: Size | None = None
    exporter: str | None = None
    dim: dict[str, Size] = Field(default_factory=dict)
    inputs: str | None = None
    hardware: tuple[str, ...] = ("cpu",)
    backend: tuple[str, ...] = ()
    browser: tuple[str, ...] = ("chromium",)
    runtime: tuple[str, ...] = ()
    precision: tuple[str, ...] = ("fp32",)
    batch_size: tuple[Size, ...] = (1,)
    length: tuple[Size, ...] = ()
    threads: Size | None = None
    affinity: tuple[Cpu, ...] | None = None
    outputs: Literal["host", "device"] = "host"
    cache: Literal["cold", "warm"] = "cold"
    network: str | None = None
    isolation: Isolation | None = None
    option: dict[str, StrictStr | StrictBool] = Field(default_factory=dict)
    limit: Size | None = None
    rounds: int = Field(default=3, strict=True, ge=1, le=1000)
    until_decided: StrictBool = False
    margin: float = Field(default=0.02, strict=True, gt=0, le=1, description="of what counts as the same")
    budget: str = "20s"
    timeout: str = "5m"
    seed: Seed = 0
    trust_remote_code: StrictBool = False
    progressive: StrictBool = False
    priority: tuple[StrictStr, ...] = ()
    memory_limit: Size | None = Field(default=None, description="MB")
    incremental: StrictBool = False
    refresh_older_than: float | None = Field(default=None, strict=True, gt=0, le=36_500, description="days")
    force: StrictBool = False
    quiet: Literal["warn", "strict", "off"] = "warn"
    profile: StrictBool = False
    audit: StrictBool = False
    roofline: StrictBool = False

    @property
    def reuses(self) -> bool:
        """Whether what is known already need not be measured; to be told to measure everything wins."""
        return (self.incremental or self.refresh_older_than is not None) and not self.force

    @field_validator("precision", "priority")
    @classmethod
    def _our_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """What the web calls q4 is int4 here: one name each, or one Case would be two."""
        return tuple(PRECISION_ALIASES.get(name, name) for name in names)

    @field_validator("affinity", mode="before")
    @classmethod
    def _cpus(cls, given: Any) -> Any:
        """Numbers and ranges `0-3`, in order and each once: two Cases on the same CPUs are the same."""
        if given is None:
            return None
        cpus: list[Any] = []
        for part in given if isinstance(given, list | tuple) else [given]:
            cpus += cpus_of(part) if isinstance(part, str) else [part]
        whole = all(isinstance(cpu, int) and not isinstance(cpu, bool) for cpu in cpus)
        return (tuple(sorted(set(cpus))) or None) if whole else cpus

    @field_validator("network")
    @classmethod
    def _rate(cls, text: str | None) -> str | None:
        """In one spelling: two Cases that ask for the same rate are the same."""
        if text is None:
            return None
        bits = parse_rate(text)
        return f"{bits / 1e6:g}mbit"

    @field_validator("budget", "timeout")
    @classmethod
    def _duration(cls, text: str) -> str:
        parse_duration(text)
        return text


_CPUS = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")
_LISTS = {name for name, field in Selection.model_fields.items() if str(field.annotation).startswith("tuple")}


def cpus_of(text: str) -> list[int]:
    """`0,2-3` → [0, 2, 3]; raises UserMistake for what is neither numbers nor ranges."""
    cpus: list[int] = []
    for part in text.split(","):
        match = _CPUS.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last < _MOST_CPUS:
            said = f"{one_line(part, 60)!r} is neither a CPU's number nor a range of them"
            raise UserMistake("bad_affinity", said, "write 0, 0,2 or 0-3")
        cpus += range(first, last + 1)
    return cpus


def read_spec(path: Path) -> dict[str, Any]:
    """Keys and values of a TOML spec; raises UserMistake naming the line or the key that is wrong."""
    if path.exists() and not path.is_file():
        raise UserMistake("bad_spec", f"{path} is not a file", "give a TOML file, or use flags")
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_SPEC_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UserMistake("bad_spec", f"cannot read {path}: {error}", "give a TOML file, or use flags") from error
    if len(text) > LARGEST_SPEC_BYTES:
        message = f"{path} is larger than {human_bytes(LARGEST_SPEC_BYTES)}"
        raise UserMistake("bad_spec", message, "split it into several specs")
    return parse_spec(text, str(path))


def parse_spec(text: bytes, name: str) -> dict[str, Any]:
    """Keys and values of a spec's bytes; raises UserMistake naming the line or the key that is wrong."""
    hint = "see `harness run --help` for the keys"
    try:
        raw = tomllib.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UserMistake("bad_spec", f"{name} is not UTF-8 text: {error}", "give a TOML file, or use flags") from error
    except ValueError as error:  # TOML's own, and Python's refusal of integers with thousands of digits
        raise UserMistake("bad_spec", f"{name} is not TOML: {one_line(str(error).split(';')[0], 200)}", hint) from error
    except RecursionError as error:
        raise UserMistake("bad_spec", f"{name} is nested too deep", hint) from error
    known = {field.replace("_", "-"): field for field in Selection.model_fields}
    values: dict[str, Any] = {}
    for key, value in raw.items():
        field = known.get(key.replace("_", "-"))
        if field is None:
            raise unknown("key", key, known)
        if field in values:
            raise UserMistake("bad_spec", f"{name} says {key.replace('_', '-')} twice", hint)
        values[field] = value
    return values


def make_selection(spec: Path | None, flags: dict[str, Any]) -> Selection:
    """A Selection from a spec file overridden by the flags that were given."""
    values = read_spec(spec) if spec else {}
    values.update(flags)
    for key in _LISTS & values.keys():
        if not isinstance(values[key], list | tuple):
            values[key] = [values[key]]
    if values.get("until_decided"):
        values.setdefault("rounds", MOST_ROUNDS)
        values.setdefault("budget", DECIDING_BUDGET)
    try:
        selection = Selection.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        where = str(first["loc"][0]).replace("_", "-") if first["loc"] else "selection"
        said = one_line(str(first["msg"]), 200)
        raise UserMistake("bad_value", f"--{where}: {said}", "see `harness run --help`") from error
    _refuse_two_schedules(selection)
    if not (selection.model or selection.family or selection.set or selection.all):
        raise UserMistake("no_model", "no model was asked for", "try: harness run --model bert --scale tiny")
    return selection


def _refuse_two_schedules(selection: Selection) -> None:
    if not selection.until_decided:
        return
    if selection.progressive or selection.memory_limit is not None:
        other = "--progressive" if selection.progressive else "--memory-limit"
        raise UserMistake("two_schedules", f"--until-decided and {other} each say what comes next", "leave one out")
    if selection.reuses:
        message = "--until-decided measures both sides in turn: what other runs took is no turn of theirs"
        raise UserMistake("decision_measures", message, "leave --incremental out")
    if not LEAST_ROUNDS <= selection.rounds <= LOOKS[-1]:
        message = f"--until-decided takes {LEAST_ROUNDS} to {LOOKS[-1]} rounds, {selection.rounds} were given"
        raise UserMistake("bad_value", message, f"--rounds {MOST_ROUNDS}")


def as_toml(selection: Selection) -> str:
    """The spec file that asks for the same; only what is not default."""
    import tomli_w

    values = selection.model_dump(mode="json", exclude_defaults=True)
    return tomli_w.dumps({key.replace("_", "-"): value for key, value in values.items()})
