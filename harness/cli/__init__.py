"""The command line: one verb per thing a user wants. The only place that prints or exits.

__init__.py  the program: verbs, errors → exit codes
options.py   SELECTION and the other options that verbs share
seeing.py    what lets a person look at a round while it runs
measure.py   plan, export, run, attach, demo
coverage.py  coverage
bisect.py    bisect
planning.py  SELECTION → Plan, for the verbs that carry one out
attaching.py what attach adds to SELECTION
compare.py   compare, check, baseline
look.py      doctor, models, show
querying.py  query
questions.py ask
history.py   anomalies, trends
report.py    report
upkeep.py    db; exchange.py its import and export
"""

import difflib
import json
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from harness.core.errors import HarnessError, UserMistake
from harness.core.text import one_line

# verb → module of this package; imported when the verb is used, so that --help stays fast
_VERBS = {
    "demo": "measure",
    "doctor": "look",
    "models": "look",
    "plan": "measure",
    "export": "measure",
    "run": "measure",
    "coverage": "coverage",
    "bisect": "bisect",
    "attach": "measure",
    "show": "look",
    "compare": "compare",
    "check": "compare",
    "baseline": "compare",
    "query": "querying",
    "ask": "questions",
    "anomalies": "history",
    "trends": "history",
    "report": "report",
    "db": "upkeep",
}
_LONGEST = 2000  # DuckDB's words on a wrong query, say
_EXAMPLES = """\
harness demo
harness run --model bert,vit --scale tiny --hardware cpu,onnxruntime,wasm,webgpu,webnn
harness query "select model_name, hardware_type, latency_median_ms from performance_results_view"
"""


class Verbs(click.Group):
    """Loads a verb's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A verb that is not there is answered with the nearest that is."""
        if args and not args[0].startswith("-") and args[0] not in _VERBS:
            near = difflib.get_close_matches(args[0], _VERBS, n=1)
            hint = f"did you mean {near[0]}?" if near else "see `harness --help`"
            raise UserMistake("unknown_verb", f"there is no verb {args[0]!r}", hint)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        command: click.Command = getattr(import_module(f"harness.cli.{_VERBS[cmd_name]}"), cmd_name)
        return command


@click.group(cls=Verbs, invoke_without_command=True)
@click.version_option(package_name="model-benchmark-harness", prog_name="harness")
@click.pass_context
def harness(ctx: click.Context) -> None:
    """Any model, on every native backend and in every real browser, measured the same honest way."""
    if ctx.invoked_subcommand is None:
        click.echo(_EXAMPLES, nl=False)
        click.echo("harness --help lists the verbs.")


def main() -> NoReturn:
    """Exit codes: 0 carried out, 1 a case failed, 2 the user's mistake, 130 interrupted."""
    as_json = "--json" in sys.argv
    try:
        code = harness.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except UserMistake as mistake:
        _complain(mistake.code, mistake.message, mistake.hint, as_json)
    except click.UsageError as error:
        _complain("usage", error.format_message(), _usage_hint(error), as_json)
    except OSError as error:
        _complain("no_access", f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), None, as_json)
    except HarnessError as error:
        _complain("cannot", str(error), None, as_json)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; what was measured so far is kept", err=True)
        sys.exit(130)


def _usage_hint(error: click.UsageError) -> str:
    return f"see `{error.ctx.command_path} --help`" if error.ctx else "see `harness --help`"


def _complain(code: str, message: str, hint: str | None, as_json: bool) -> NoReturn:
    message, hint = one_line(message, _LONGEST), one_line(hint, _LONGEST) if hint else None
    if as_json:
        complaint: dict[str, Any] = {"error": {"code": code, "message": message, "hint": hint}}
        click.echo(json.dumps(complaint))
    click.echo(f"error: {message}" + (f"\n  {hint}" if hint else ""), err=True)
    sys.exit(2)
