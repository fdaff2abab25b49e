"""Every figure, once: rows → a Vega-Lite specification, made and validated by Altair.

Colours are the page's CSS variables, so one drawing is right in light, in dark and in print.

What cannot be compared is not drawn side by side: each figure has rows of one unit and one meaning. A row's `source`
is the id of the Source that its number comes from; a click on a mark goes there.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt

from harness.show.report.model import Figure

Row = dict[str, Any]
KINDS = {"native": "var(--native)", "browser": "var(--browser)", "software adapter": "var(--software)"}
STATES = {"ok": "var(--good)", "failed": "var(--bad)", "unsupported": "var(--faint)", "not here": "var(--line)"}
# What every drawing looks like. Sizes in pixels.
CONFIG: dict[str, Any] = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--text)", "titleColor": "var(--muted)", "domainColor": "var(--line)",
        "tickColor": "var(--line)", "gridColor": "var(--line)", "labelFontSize": 12, "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
    "axisY": {"domain": False, "ticks": False, "grid": False},
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
_LABEL_PIXELS = 260


def bars(name: str, title: str, description: str, rows: Sequence[Row], unit: str) -> Figure:
    """A bar per place with its interval: rows of `place`, `value`, `low`, `high` (or null), `kind`, `source`.

    Where one takes many times as long as another, points on a logarithmic axis: a bar has to begin at zero.
    """
    values = [row["value"] for row in rows if row["value"] > 0]
    is_wide = len(values) == len(rows) and max(values) > _WIDE * min(values)
    axis = f"{unit} (log)" if is_wide else unit
    scale = alt.Scale(type="log") if is_wide else alt.Scale(zero=True)
    base = alt.Chart(_data(rows)).encode(y=_place(None))
    mark = base.mark_point(filled=True, size=110, opacity=1) if is_wide else base.mark_bar()
    drawn = mark.encode(
        x=alt.X("value:Q", title=axis, scale=scale, axis=alt.Axis(tickCount=_TICKS)),
        color=_kind(rows),
        tooltip=[*_words("place", "kind", "said"), *_numbers(unit, "value", "low", "high")],
    )
    layers = [drawn]
    if any(row["low"] is not None for row in rows):
        known = base.transform_filter("isValid(datum.low)")
        layers.append(known.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q"))
        # The two ends of an interval are what a reader looks for, also in print.
        layers += [known.mark_tick(thickness=2, size=10).encode(x=f"{end}:Q") for end in ("low", "high")]
    chart = alt.layer(*layers).properties(width="container", height=_BAR_HEIGHT * max(2, len(rows)))
    return _figure(name, title, description, chart)


def spread(name: str, title: str, description: str, rows: Sequence[Row], axis: str) -> Figure:
    """A tick per piece of work and a point for the median, per place: rows of `place`, `ratio`, `work`, `kind`,
    `source`. The axis is logarithmic: twice and half are equally far from 1."""
    places = len({row["place"] for row in rows})
    base = alt.Chart(_data(rows)).encode(y=_place(alt.EncodingSortField("ratio", op="median")))
    ratio = alt.X("ratio:Q", scale=alt.Scale(type="log", nice=True), title=axis, axis=alt.Axis(tickCount=_TICKS))
    ticks = base.mark_tick(cursor="pointer", opacity=0.45, size=16).encode(
        x=ratio, color=_kind(rows), tooltip=[*_words("work", "place"), *_numbers("times", "ratio")]
    )
    middle = base.mark_point(filled=True, size=70, shape="diamond").encode(
        x=alt.X("median(ratio):Q"),
        tooltip=[*_words("place"), alt.Tooltip("median(ratio):Q", format=".3g", title="median")],
    )
    chart = alt.layer(ticks, middle).properties(width="container", height=_BAR_HEIGHT * max(2, places))
    return _figure(name, title, description, chart)


def lines(name: str, title: str, description: str, rows: Sequence[Row], axes: tuple[str, str]) -> Figure:
    """A line per place over a doubling axis: rows of `x`, `y`, `place`, `work`, `source`; `axes`: titles with units."""
    chosen = alt.selection_point(fields=["place"], bind="legend")
    doubling = alt.Axis(format="d", values=_distinct(rows, "x"))
    legend = alt.Legend(labelLimit=_LABEL_PIXELS, orient="bottom", columns=2)
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("x:Q", scale=alt.Scale(type="log", base=2), title=axes[0], axis=doubling),
        y=alt.Y("y:Q", title=axes[1], scale=alt.Scale(zero=True)),
        color=alt.Color("place:N", title=None, sort=None, legend=legend),
        opacity=alt.condition(chosen, alt.value(1.0), alt.value(0.15)),
    )
    tooltip = [*_words("work", "place"), *_numbers("", "x", "y")]
    line = base.mark_line().encode(detail="work:N")
    points = base.mark_point(filled=True, size=60, cursor="pointer").encode(
        shape=alt.Shape("place:N", sort=None, legend=None), tooltip=tooltip
    )
    chart = alt.layer(line, points).add_params(chosen).properties(width="container", height=280)
    return _figure(name, title, description, chart)


def over_time(name: str, title: str, description: str, rows: Sequence[Row], changes: Sequence[Row]) -> Figure:
    """A point per Run and a rule where it changed: rows of `at` (ISO 8601), `latency_ms`, `run`, `source`; changes of
    `at`, `what`."""
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("at:T", title=None, axis=alt.Axis(labelOverlap=True)),
        y=alt.Y("latency_ms:Q", title="latency, ms", scale=alt.Scale(zero=False, padding=12)),
    )
    tooltip = [*_words("run"), alt.Tooltip("at:T", format="%Y-%m-%d %H:%M"), *_numbers("ms", "latency_ms")]
    line = base.mark_line(opacity=0.5)
    points = base.mark_point(filled=True, size=45, cursor="pointer").encode(tooltip=tooltip)
    rules = (
        alt.Chart(_data(changes))
        .mark_rule(strokeDash=[5, 4], strokeWidth=2)
        .encode(x="at:T", tooltip=_words("what"), color=alt.value("var(--bad)"))
    )
    chart = alt.layer(line, rules, points).properties(width="container", height=200)
    return _figure(name, title, description, chart)


def shares(name: str, title: str, description: str, rows: Sequence[Row]) -> Figure:
    """Stacked to all that were asked for: rows of `place`, `state` (see STATES), `count`."""
    places = len({row["place"] for row in rows})
    chart = (
        alt.Chart(_data(rows))
        .mark_bar()
        .encode(
            y=_place(None),
            x=alt.X("count:Q", title="cases"),
            color=alt.Color("state:N", sort=list(STATES), scale=_scale(STATES), title=None),
            order=alt.Order("rank:Q"),
            tooltip=[*_words("place", "state"), alt.Tooltip("count:Q", title="cases")],
        )
        .properties(width="container", height=_BAR_HEIGHT * max(2, places))
    )
    return _figure(name, title, description, chart)


def pairs(name: str, title: str, description: str, rows: Sequence[Row], unit: str) -> Figure:
    """Two bars per place beside each other: rows of `place`, `series`, `value`, `source`."""
    places = len({row["place"] for row in rows})
    chart = (
        alt.Chart(_data(rows))
        .mark_bar(cursor="pointer")
        .encode(
            y=_place(None),
            yOffset=alt.YOffset("series:N", sort=None),
            x=alt.X("value:Q", title=unit, scale=alt.Scale(zero=True)),
            color=alt.Color("series:N", sort=None, title=None),
            tooltip=[*_words("place", "series"), *_numbers(unit, "value")],
        )
        .properties(width="container", height=2 * _BAR_HEIGHT * max(1, places))
    )
    return _figure(name, title, description, chart)


def _data(rows: Sequence[Row]) -> alt.InlineData:
    return alt.InlineData(values=list(rows))


def _kind(rows: Sequence[Row]) -> alt.Color:
    """The legend tells of the kinds that occur; their colours are the same in every figure."""
    present = [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]
    legend = alt.Legend(values=present, columns=2) if len(present) > 1 else None
    return alt.Color("kind:N", scale=_scale(KINDS), title=None, legend=legend)


def _scale(colours: dict[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(colours), range=list(colours.values()))


def _place(sort: Any) -> alt.Y:
    return alt.Y("place:N", sort=sort, title=None, axis=alt.Axis(labelLimit=_LABEL_PIXELS))


def _words(*names: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{name}:N") for name in names]


def _numbers(unit: str, *names: str) -> list[alt.Tooltip]:
    titles = {
        "value": unit or "value",
        "low": "interval from",
        "high": "to",
        "ratio": "times",
        "latency_ms": "latency, ms",
    }
    return [alt.Tooltip(f"{name}:Q", format=".4~g", title=titles.get(name, name)) for name in names]


def _distinct(rows: Sequence[Row], name: str) -> list[Any]:
    return sorted({row[name] for row in rows})


def _figure(name: str, title: str, description: str, chart: alt.TopLevelMixin) -> Figure:
    spec: dict[str, Any] = chart.to_dict()
    spec.pop("config", None)  # the page's
    spec["description"] = description
    return Figure(name=name, title=title, description=description, spec=spec)
