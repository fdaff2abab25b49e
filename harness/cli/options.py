"""SELECTION, and the other options that verbs share: declared once."""

from __future__ import annotations

import os
import sys
from collections import ChainMap
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

Command = Callable[..., Any]
_LOG_WIDTH = 120


class Several(click.ParamType[Any]):
    """A comma-separated list: `--model bert,vit`; also given several times."""

    name = "list"

    def __init__(self, of: type[str] | type[int] = str) -> None:
        self._of = of

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(self._of(part.strip()) for part in str(value).split(",") if part.strip())
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers", param, ctx)


class Pairs(click.ParamType[Any]):
    """`KEY=VALUE,KEY`: a key alone means true."""

    name = "key[=value]"

    def __init__(self, of: type[str] | type[int] = str) -> None:
        self._of = of

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        pairs: dict[str, Any] = {}
        for part in filter(None, str(value).split(",")):
            key, equals, given = part.partition("=")
            try:
                pairs[key.strip()] = self._of(given) if equals else True
            except ValueError:
                self.fail(f"{part!r}: {given!r} is not a whole number", param, ctx)
            if self._of is int and not equals:
                self.fail(f"{part!r}: write {key}=SIZE", param, ctx)
        return pairs


DEFAULT_DB = Path("results") / "harness.duckdb"
_SELECTION = [
    click.argument("spec", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    click.option(
        "--model",
        type=Several(),
        multiple=True,
        help="Architectures, hub ids (org/name), paths (./my.onnx).",
    ),
    click.option("--family", type=Several(), multiple=True, help="All architectures of these: vision,audio,…"),
    click.option("--set", type=Several(), multiple=True, help="A named set: key-models, small, … (`harness models`)."),
    click.option("--all", is_flag=True, default=None, help="Every architecture of the catalogue."),
    click.option("--sample", type=int, help="N of those, always the same, of each family in proportion."),
    click.option("--task", help="Task family; default: the architecture's own."),
    click.option("--mode", type=click.Choice(["inference", "training"]), help="Default: inference."),
    click.option("--weights", type=click.Choice(["pretrained", "random"]), help="Default: by the kind of name."),
    click.option("--scale", type=click.Choice(["full", "tiny"]), help="Size of an architecture; default: full."),
    click.option("--layers", type=int, help="At most N hidden layers of an architecture, all else as it is."),
    click.option("--exporter", help="Default: the first that takes the model."),
    click.option("--dim", type=Pairs(int), multiple=True, help="Symbolic dimensions of a bare .onnx: batch=1,seq=128."),
    click.option("--inputs", help="Inputs of a bare .onnx: an .npz file or a folder of .pb files."),
    click.option("--hardware", type=Several(), multiple=True, help="Each platform[:device], or all; default: cpu."),
    click.option("--backend", type=Several(), multiple=True, help="Where a platform has several; default: its first."),
    click.option(
        "--browser", type=Several(), multiple=True, help="Browsers, each name[@version|@/path]; default: chromium."
    ),
    click.option(
        "--runtime",
        type=Several(),
        multiple=True,
        help="The page's runtime in other versions: onnxruntime-web@1.29.0,…",
    ),
    click.option("--precision", type=Several(), multiple=True, help="fp32 (default), fp16, bf16, int8, int4, …"),
    click.option("--batch-size", type=Several(int), multiple=True, help="Default: 1."),
    click.option("--length", type=Several(int), multiple=True, help="Tokens of text; default: 128."),
    click.option(
        "--threads", type=int, help="The same for every backend; default: physical cores, at most 4 or --affinity's."
    ),
    click.option("--affinity", metavar="CPUS", help="Keep native workers to these logical CPUs: 0,2 or 0-3."),
    click.option("--outputs", type=click.Choice(["host", "device"]), help="Where outputs are left; default: host."),
    click.option(
        "--cache",
        type=click.Choice(["cold", "warm"]),
        help="A page's first load in a fresh profile (default), or second.",
    ),
    click.option("--network", help="Hold a page's downloads to a rate, as a user's connection does: 50mbit."),
    click.option(
        "--isolation",
        type=click.Choice(["process", "zygote"]),
        help="How a round's process comes to be: fresh, or forked with the imports made; default: process.",
    ),
    click.option("--option", type=Pairs(), multiple=True, help="A backend's own: KEY[=VALUE],…"),
    click.option(
        "--trust-remote-code", is_flag=True, default=None, help="Run the Python code that a model brings; default: off."
    ),
    click.option("--limit", type=int, help="The first N cases only."),
    click.option("--rounds", type=int, help="Fresh processes or tabs per case, interleaved; default: 3."),
    click.option(
        "--until-decided", is_flag=True, default=None, help="Rounds until it is decided which is faster, or --rounds."
    ),
    click.option("--margin", type=float, help="--until-decided: what counts as the same; default: 0.02, which is 2 %."),
    click.option("--budget", help="Warm-up and sampling of all rounds of one case: 20s (default), 500ms, 2m."),
    click.option("--timeout", help="A round that gets nowhere for so long has failed; default: 5m."),
    click.option("--seed", type=int, help="Of weights, inputs and the order of rounds; default: 0."),
    click.option(
        "--progressive", is_flag=True, default=None, help="Small and cheap first; what failed small isn't tried big."
    ),
    click.option(
        "--priority", type=Several(), multiple=True, help="Models, platforms, browsers, precisions measured first."
    ),
    click.option(
        "--memory-limit", type=int, metavar="MB", help="Search: the largest batch and best precision that fit."
    ),
    click.option("--incremental", is_flag=True, default=None, help="Reuse what this machine measured, same versions."),
    click.option(
        "--refresh-older-than", type=float, metavar="DAYS", help="--incremental, but nothing older than this."
    ),
    click.option("--force", is_flag=True, default=None, help="Measure everything, whatever --incremental says."),
    click.option("--profile", is_flag=True, default=None, help="After the timing: which operators take how long."),
    click.option("--audit", is_flag=True, default=None, help="Last: is the backend honest: answers, caching, clock."),
    click.option(
        "--roofline", is_flag=True, default=None, help="First: what this machine reaches; how near each case is."
    ),
    click.option(
        "--quiet",
        type=click.Choice(["warn", "strict", "off"]),
        help="Noise on the machine: say so (default), refuse, don't look.",
    ),
]
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout and nothing else.")
db_option = click.option(
    "--db", type=click.Path(dir_okay=False, path_type=Path), envvar="BENCHMARK_DB_PATH",
    default=DEFAULT_DB, show_default=True, help="The journal and the artifacts lie beside it.",
)  # fmt: skip


def selection_options(command: Command) -> Command:
    """All of SELECTION."""
    for option in reversed(_SELECTION):
        command = option(command)
    return command


def stdout_console() -> Console:
    """Where tables go; a log has no width of its own, and 80 columns would break every row."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _LOG_WIDTH)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The flags that were really typed; the rest is for the spec file and the defaults.

    A flag given several times is one list: `--model a --model b,c` is `--model a,b,c`.
    """
    found: dict[str, Any] = {}
    for key, value in options.items():
        if isinstance(value, tuple) and value:
            found[key] = dict(ChainMap(*reversed(value))) if isinstance(value[0], dict) else tuple(chain(*value))
        elif value is not None and value != ():
            found[key] = value
    return found


def absolute(database: Path) -> Path:
    """The database's absolute path, so that workers with another working folder mean the same."""
    return Path.cwd() / database.expanduser()
