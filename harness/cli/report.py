"""report: what was measured, for people who were not there."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import Several, absolute, db_option, given, json_option
from harness.cli.querying import drawn

if TYPE_CHECKING:
    from harness.show.report.model import Report

_KINDS = ("comparison", "coverage", "architecture", "batch-scaling", "trend", "training-vs-inference", "run")
_FORMATS = {"html": ".html", "pdf": ".pdf", "markdown": ".md", "csv": ".csv", "json": ".json"}


@click.command()
@click.argument("kind", required=False, type=click.Choice(_KINDS))
@click.argument("run_id", required=False)
@click.option("--model", "models", type=Several(), multiple=True, help="Of these models only, by name.")
@click.option("--family", "families", type=Several(), multiple=True, help="Of these families only.")
@click.option("--hardware", "platforms", type=Several(), multiple=True, help="Of these platforms only.")
@click.option("--format", "form", type=click.Choice(list(_FORMATS)), help="Default: as --out ends, else html.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path),
    help="A file, or - for stdout. Default: html and pdf in reports/ beside the database, the others to stdout.",
)  # fmt: skip
@click.option(
    "--template", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A Jinja template of yours for html and pdf; it may extend report.html.jinja.",
)  # fmt: skip
@click.option("--show-template", is_flag=True, help="Print the template to begin with.")
@db_option
@json_option
def report(
    kind: str | None, run_id: str | None, db: Path, as_json: bool, show_template: bool, **asked: Any
) -> int:  # fmt: skip
    """A report of a KIND: of the run RUN_ID (default: the last), or of all runs where the kind is about many."""
    from harness.core.errors import UserMistake
    from harness.show.report.as_text import as_json as report_as_json
    from harness.steps.reporting import Asked, report_of

    if as_json and (show_template or str(asked["out"]) == "-" or asked["form"] in ("csv", "markdown")):
        hint = "without --json it is printed; or name a file: --out FILE"
        if show_template or asked["out"] is None or str(asked["out"]) == "-":
            raise UserMistake("usage", "--json prints one JSON object, and this another text", hint)
    if show_template:
        from harness.show.report.as_html import template_text

        click.echo(template_text(), nl=False)
        return 0
    if kind is None:
        raise UserMistake("usage", f"which report? {', '.join(_KINDS)}", "harness report comparison")
    form, out = asked.pop("form"), asked.pop("out")
    template: Path | None = asked.pop("template")
    wanted = form or _by_suffix(out)
    made = report_of(absolute(db), kind, Asked(run_id=run_id, **given(asked)))
    if as_json and form in (None, "json") and out is None:
        click.echo(json.dumps(report_as_json(made)))
        return 0
    if out is None and wanted in ("html", "pdf"):
        out = absolute(db).parent / "reports" / f"{kind}{f'-{run_id}' if run_id else ''}{_FORMATS[wanted]}"
    written = _write(_rendered(made, wanted, template), out)
    if written is not None:
        told = {"file": str(written), "format": wanted, "bytes": written.stat().st_size}
        click.echo(json.dumps({**report_as_json(made), **told}) if as_json else _said(made, written))
    return 0


def _by_suffix(out: Path | None) -> str:
    suffix = "" if out is None else out.suffix.lower()
    return next((name for name, ending in _FORMATS.items() if ending == suffix), "html")


def _rendered(made: Report, form: str, template: Path | None) -> bytes:
    from harness.show.report.as_text import as_csv, as_markdown
    from harness.show.report.as_text import as_json as report_as_json

    if form == "csv":
        return as_csv(made).encode()
    if form == "markdown":
        return as_markdown(made).encode()
    if form == "json":
        return (json.dumps(report_as_json(made), indent=1) + "\n").encode()
    page = drawn("harness.show.report.as_html", "as_html")(made, template)
    return page.encode() if form == "html" else _printed(page)


def _printed(page: str) -> bytes:
    """The page's PDF, by the browser that is driven by default."""
    from harness.catalog import browsers
    from harness.cli.running import carry_out, leaving_nothing
    from harness.execute.printing import print_pdf

    with leaving_nothing(), tempfile.TemporaryDirectory(prefix="harness-report-") as folder:
        file = Path(folder) / "report.html"
        file.write_text(page, encoding="utf-8")
        return carry_out(print_pdf(file, browsers()["chromium"]))


def _write(content: bytes, out: Path | None) -> Path | None:
    """The file that was written; None where it went to stdout."""
    if out is None or str(out) == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return None
    out.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: somebody may have the old one open.
    aside = out.with_name(f".{out.name}.part")
    aside.write_bytes(content)
    aside.replace(out)
    return out


def _said(made: Report, file: Path) -> str:
    return "\n".join([*(answer.text for answer in made.answers), f"{file} ({file.stat().st_size / 1e6:.1f} MB)"])
