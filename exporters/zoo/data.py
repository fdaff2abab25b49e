"""The zoo's tables: what is data and not code."""

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@cache
def table(name: str) -> Any:
    """`<name>.json` of this folder. Treat it as frozen: it is shared."""
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


@cache
def sentences() -> tuple[str, ...]:
    """The sentences that pretrained text models read."""
    return tuple(line for line in (FOLDER / "sentences.txt").read_text("utf-8").splitlines() if line)


def first_attribute(config: Any, names: list[str]) -> Any:
    """The value of the first of these attributes that the config has and that is not None; else None."""
    return next((value for name in names if (value := getattr(config, name, None)) is not None), None)
