"""A report as one HTML file that needs nothing from outside: text, tables and drawings, in light, dark and print."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, FileSystemLoader, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from harness.core.errors import UserMistake
from harness.show.report.drawing import specification
from harness.show.report.model import Report, Table

TEMPLATES = Path(__file__).parent / "templates"
# A filter and sortable columns only where a table is longer than a screen.
_LONG = 12
_TEMPLATE = "report.html.jinja"


def as_html(report: Report, template: Path | None = None) -> str:
    """The page's text, UTF-8. `template`: a Jinja template of the user's in the place of `report.html.jinja`, which it
    may extend. It gets `report`, and `style`, `script`, `drawing` and `figures`, which are the page's parts.

    What models, browsers and machines say is escaped: it can be no markup. Raises UserMistake: bad_template.
    """
    environment = _environment(template)
    try:
        # By its text, so that a file called as ours can extend ours.
        mine = None if template is None else environment.from_string(template.read_text(encoding="utf-8"))
        return (mine or environment.get_template(_TEMPLATE)).render(
            report=report,
            style=Markup(_part("report.css")),
            script=Markup(_part("report.js")),
            drawing=Markup(_drawing_library() if report.figures else ""),
            figures=_script_data({figure.name: specification(figure) for figure in report.figures}),
            is_long=is_long,
        )
    except (TemplateError, OSError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        told = f"{template or _TEMPLATE}: {error}"
        raise UserMistake(
            "bad_template", told, "harness report --show-template prints the one to begin with"
        ) from error


def template_text() -> str:
    """What a user's own template may begin with."""
    return _part(_TEMPLATE)


def is_long(table: Table) -> bool:
    return len(table.rows) > _LONG


def _environment(template: Path | None) -> ImmutableSandboxedEnvironment:
    folders = [FileSystemLoader(TEMPLATES)]
    if template is not None:
        folders.append(FileSystemLoader(template.parent))
    # A template may come from somebody else: it can show what is there, and reach nothing else.
    environment = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader(folders), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["brief"] = _brief
    return environment


def _brief(value: float) -> str:
    """As much of a number as sorting needs: there are tens of thousands."""
    return f"{value:.6g}"


def _script_data(value: Any) -> Markup:
    """JSON for a script element, in which nothing but `<` could end anything."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def _part(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def vega_lite_version() -> str:
    """The specifications are of the Vega-Lite that Altair was made for: v6.4.1 → 6.4."""
    import altair

    return ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


@cache
def _drawing_library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, from the package that also knows which of them fit together."""
    import vl_convert

    text: str = vl_convert.javascript_bundle(snippet="window.vegaEmbed = vegaEmbed;", vl_version=vega_lite_version())
    return text.replace("</script", "<\\/script")
