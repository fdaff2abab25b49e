"""A Figure → a Vega-Lite specification, made and validated by Altair.

Colours are the page's CSS variables, so one drawing is right in light, in dark and in print.
"""

from collections.abc import Callable, Sequence
from typing import Any

import altair as alt

from harness.show.report.figures import KINDS, STATES
from harness.show.report.model import Figure, Row, Shape

_KIND_COLOURS = dict(zip(KINDS, ("var(--native)", "var(--browser)", "var(--software)"), strict=True))
_STATE_COLOURS = dict(
    zip(STATES, ("var(--good)", "var(--doubt)", "var(--bad)", "var(--faint)", "var(--line)"), strict=True)
)
_LABEL_PIXELS = 260
# What every drawing looks like. Sizes in pixels.
_CONFIG: dict[str, Any] = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--text)", "titleColor": "var(--muted)", "domainColor": "var(--line)",
        "tickColor": "var(--line)", "gridColor": "var(--line)", "labelFontSize": 12, "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
    "axisY": {"domain": False, "ticks": False, "grid": False, "labelLimit": _LABEL_PIXELS},
    "legend": {
        "labelColor": "var(--text)", "titleColor": "var(--muted)", "labelFontSize": 12, "orient": "top",
        "symbolStrokeColor": "transparent",
    },
    "rule": {"color": "var(--text)"},
    "tick": {"color": "var(--text)"},
    "point": {"color": "var(--text)"},
    "line": {"color": "var(--native)"},
    "range": {"category": [f"var(--c{place})" for place in range(1, 9)]},
}  # fmt: skip
_BAR_HEIGHT = 26
# Largest ÷ smallest beyond which the small ones would be no bar at all.
_WIDE = 30
_TICKS = 5


def specification(figure: Figure) -> dict[str, Any]:
    """What Vega-Embed draws; the page gives the width."""
    spec: dict[str, Any] = _SHAPES[figure.shape](figure).properties(width="container").to_dict()
    return {**spec, "description": figure.description, "config": _CONFIG}


def _bars(figure: Figure) -> Any:
    (unit,), rows = figure.axes, figure.rows
    values = [float(row["value"] or 0) for row in rows]
    is_wide = min(values) > 0 and max(values) > _WIDE * min(values)
    scale = alt.Scale(type="log") if is_wide else alt.Scale(zero=True)
    base = alt.Chart(_data(rows)).encode(y=_place())
    mark = base.mark_point(filled=True, size=110, opacity=1) if is_wide else base.mark_bar()
    drawn = mark.encode(
        x=alt.X("value:Q", title=f"{unit} (log)" if is_wide else unit, scale=scale, axis=alt.Axis(tickCount=_TICKS)),
        color=_kind(rows),
        tooltip=[*_words("place", "kind", "said"), *_numbers(unit, "value", "low", "high")],
    )
    layers = [drawn]
    if any(row["low"] is not None for row in rows):
        known = base.transform_filter("isValid(datum.low)")
        layers.append(known.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q"))
        # The two ends of an interval are what a reader looks for, also in print.
        layers += [known.mark_tick(thickness=2, size=10).encode(x=f"{end}:Q") for end in ("low", "high")]
    return alt.layer(*layers).properties(height=_BAR_HEIGHT * max(2, len(rows)))


def _spread(figure: Figure) -> Any:
    base = alt.Chart(_data(figure.rows)).encode(y=_place(alt.EncodingSortField("ratio", op="median")))
    ratio = alt.X("ratio:Q", scale=alt.Scale(type="log"), title=figure.axes[0], axis=alt.Axis(tickCount=_TICKS))
    ticks = base.mark_tick(cursor="pointer", opacity=0.45, size=16).encode(
        x=ratio, color=_kind(figure.rows), tooltip=[*_words("work", "place"), *_numbers("times", "ratio")]
    )
    middle = base.mark_point(filled=True, size=70, shape="diamond").encode(
        x=alt.X("median(ratio):Q"),
        tooltip=[*_words("place"), alt.Tooltip("median(ratio):Q", format=".3g", title="median")],
    )
    return alt.layer(ticks, middle).properties(height=_height(figure))


def _lines(figure: Figure) -> Any:
    chosen = alt.selection_point(fields=["place"], bind="legend")
    doubling = alt.Axis(format="d", values=sorted({float(row["x"] or 0) for row in figure.rows}))
    legend = alt.Legend(labelLimit=_LABEL_PIXELS, orient="bottom", columns=2)
    base = alt.Chart(_data(figure.rows)).encode(
        x=alt.X("x:Q", scale=alt.Scale(type="log", base=2), title=figure.axes[0], axis=doubling),
        y=alt.Y("y:Q", title=figure.axes[1], scale=alt.Scale(zero=True)),
        color=alt.Color("place:N", title=None, sort=None, legend=legend),
        opacity=alt.condition(chosen, alt.value(1.0), alt.value(0.15)),
    )
    points = base.mark_point(filled=True, size=60, cursor="pointer").encode(
        shape=alt.Shape("place:N", sort=None, legend=None), tooltip=[*_words("work", "place"), *_numbers("", "x", "y")]
    )
    return alt.layer(base.mark_line().encode(detail="work:N"), points).add_params(chosen).properties(height=280)


def _over_time(figure: Figure) -> Any:
    base = alt.Chart(_data(figure.rows)).encode(
        x=alt.X("at:T", title=None, axis=alt.Axis(labelOverlap=True)),
        y=alt.Y("latency_ms:Q", title="latency, ms", scale=alt.Scale(zero=False, padding=12)),
    )
    tooltip = [*_words("run"), alt.Tooltip("at:T", format="%Y-%m-%d %H:%M"), *_numbers("ms", "latency_ms")]
    points = base.mark_point(filled=True, size=45, cursor="pointer").encode(tooltip=tooltip)
    layers: list[alt.Chart] = [base.mark_line(opacity=0.5), points]
    if figure.marks:
        rules = alt.Chart(_data(figure.marks)).mark_rule(strokeDash=[5, 4], strokeWidth=2)
        layers.append(rules.encode(x="at:T", tooltip=_words("what"), color=alt.value("var(--bad)")))
    return alt.layer(*layers).properties(height=200)


def _shares(figure: Figure) -> Any:
    bars = alt.Chart(_data(figure.rows)).mark_bar()
    return bars.encode(
        y=_place(),
        x=alt.X("count:Q", title="cases"),
        color=alt.Color("state:N", sort=list(STATES), scale=_scale(_STATE_COLOURS), title=None),
        order=alt.Order("rank:Q"),
        tooltip=[*_words("place", "state"), alt.Tooltip("count:Q", title="cases")],
    ).properties(height=_height(figure))


def _pairs(figure: Figure) -> Any:
    (unit,) = figure.axes
    bars = alt.Chart(_data(figure.rows)).mark_bar(cursor="pointer")
    return bars.encode(
        y=_place(),
        yOffset=alt.YOffset("series:N", sort=None),
        x=alt.X("value:Q", title=unit, scale=alt.Scale(zero=True)),
        color=alt.Color("series:N", sort=None, title=None),
        tooltip=[*_words("place", "series"), *_numbers(unit, "value")],
    ).properties(height=2 * _height(figure))


_SHAPES: dict[Shape, Callable[[Figure], Any]] = {
    "bars": _bars, "spread": _spread, "lines": _lines, "over_time": _over_time, "shares": _shares, "pairs": _pairs,
}  # fmt: skip


def _data(rows: Sequence[Row]) -> alt.InlineData:
    return alt.InlineData(values=list(rows))


def _height(figure: Figure) -> int:
    return _BAR_HEIGHT * max(2, len({row["place"] for row in figure.rows}))


def _kind(rows: Sequence[Row]) -> alt.Color:
    """The legend tells of the kinds that occur; their colours are the same in every figure."""
    present = [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]
    legend = alt.Legend(values=present, columns=2) if len(present) > 1 else None
    return alt.Color("kind:N", scale=_scale(_KIND_COLOURS), title=None, legend=legend)


def _scale(colours: dict[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(colours), range=list(colours.values()))


def _place(sort: Any = None) -> alt.Y:
    """In the order of the rows where nothing else is said."""
    return alt.Y("place:N", sort=sort, title=None)


def _words(*names: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{name}:N") for name in names]


def _numbers(unit: str, *names: str) -> list[alt.Tooltip]:
    titles = {
        "value": unit or "value", "low": "interval from", "high": "to", "ratio": "times", "latency_ms": "latency, ms",
    }  # fmt: skip
    return [alt.Tooltip(f"{name}:Q", format=".4~g", title=titles.get(name, name)) for name in names]
