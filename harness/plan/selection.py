"""What the user asked for, before anything is resolved; a spec file's keys are the flags' names."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from harness.catalog import unknown
from harness.core.errors import UserMistake
from harness.core.nouns import Frozen
from harness.core.units import parse_duration


class Selection(Frozen):
    """SELECTION of the command line; tuples are sweeps."""

    model: tuple[str, ...] = ()
    task: str | None = None
    mode: Literal["inference", "training"] = "inference"
    weights: Literal["pretrained", "random"] | None = None
    scale: Literal["full", "tiny"] = "full"
    exporter: str | None = None
    dim: dict[str, int] = Field(default_factory=dict)
    inputs: str | None = None
    hardware: tuple[str, ...] = ("cpu",)
    backend: str | None = None
    browser: tuple[str, ...] = ("chromium",)
    precision: tuple[str, ...] = ("fp32",)
    batch_size: tuple[int, ...] = (1,)
    length: tuple[int, ...] = ()
    threads: int | None = None
    outputs: Literal["host", "device"] = "host"
    option: dict[str, str | bool] = Field(default_factory=dict)
    limit: int | None = None
    rounds: int = Field(default=3, ge=1, le=1000)
    budget: str = "20s"
    seed: int = 0

    @field_validator("batch_size", "length")
    @classmethod
    def _positive(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if any(size < 1 for size in sizes):
            raise ValueError("must be 1 or more")
        return sizes

    @field_validator("dim")
    @classmethod
    def _positive_dims(cls, dims: dict[str, int]) -> dict[str, int]:
        if any(size < 1 for size in dims.values()):
            raise ValueError("must be 1 or more")
        return dims

    @field_validator("threads", "limit")
    @classmethod
    def _positive_or_none(cls, count: int | None) -> int | None:
        if count is not None and count < 1:
            raise ValueError("must be 1 or more")
        return count

    @field_validator("budget")
    @classmethod
    def _duration(cls, text: str) -> str:
        parse_duration(text)
        return text


_LISTS = {name for name, field in Selection.model_fields.items() if str(field.annotation).startswith("tuple")}


def read_spec(path: Path) -> dict[str, Any]:
    """Keys and values of a TOML spec; raises UserMistake naming the line or the key that is wrong."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserMistake("bad_spec", f"cannot read {path}: {error}", "give a TOML file, or use flags") from error
    except tomllib.TOMLDecodeError as error:
        raise UserMistake(
            "bad_spec", f"{path} is not TOML: {error}", "see `harness run --help` for the keys"
        ) from error
    values = {key.replace("-", "_"): value for key, value in raw.items()}
    for key in values:
        if key not in Selection.model_fields:
            raise unknown("key", key.replace("_", "-"), (name.replace("_", "-") for name in Selection.model_fields))
    return values


def make_selection(spec: Path | None, flags: dict[str, Any]) -> Selection:
    """A Selection from a spec file overridden by the flags that were given."""
    values = read_spec(spec) if spec else {}
    values.update(flags)
    for key in _LISTS & values.keys():
        if not isinstance(values[key], list | tuple):
            values[key] = [values[key]]
    try:
        selection = Selection.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = str(first["loc"][0]).replace("_", "-") if first["loc"] else "selection"
        raise UserMistake("bad_value", f"--{where}: {first['msg']}", "see `harness run --help`") from error
    if not selection.model:
        raise UserMistake("no_model", "no model was asked for", "try: harness run --model bert --scale tiny")
    return selection


def as_toml(selection: Selection) -> str:
    """The spec file that asks for the same; only what is not default."""
    import tomli_w

    values = selection.model_dump(mode="json", exclude_defaults=True)
    return tomli_w.dumps({key.replace("_", "-"): value for key, value in values.items()})
