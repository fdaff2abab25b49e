"""A figure as a file of its own: SVG, which browsers, editors and office programs show."""

import re
from functools import cache

from harness.show.report.as_html import TEMPLATES, vega_lite_version
from harness.show.report.drawing import specification
from harness.show.report.model import Figure

_WIDTH = 720
_MARGIN = 12


def as_svg(figure: Figure) -> str:
    """The drawing by itself, in the page's light colours: beyond browsers few programs know CSS variables."""
    import vl_convert

    title = {"text": figure.title, "anchor": "start", "color": "var(--text)"}
    spec = {**specification(figure), "width": _WIDTH, "padding": _MARGIN, "background": "var(--card)", "title": title}
    text: str = vl_convert.vegalite_to_svg(spec, vl_version=vega_lite_version())
    return re.sub(r"var\((--[a-z0-9]+)\)", lambda found: _light_colours().get(found[1], found[0]), text)


@cache
def _light_colours() -> dict[str, str]:
    """Variable → colour, as the page's style has them for light."""
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    return dict(re.findall(r"(--[a-z0-9]+): light-dark\((#[0-9a-f]+),", style))
