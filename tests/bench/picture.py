"""One picture that a stranger reads in five seconds: each panel's title is the question, green is what was aimed at."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from harness.core.statistics import mean
from tests.bench.pairs import BAND

_GOOD, _BAD, _PLAIN, _AIMED = "#2e7d32", "#c62828", "#37474f", "#c8e6c9"
_PARTS = (
    "#1f77b4", "#6baed6", "#9ecae1", "#ff7f0e", "#fdd0a2", "#9467bd", "#c5b0d5", "#8c564b", "#2ca02c", "#17becf",
    "#bdbdbd",
)  # fmt: skip
_RATIOS = ("native_loop", "page_loop", "isolation")
_COSTS = {"noop": ("loop", "µs"), "conductor_cpu": ("conductor", "%"), "startup": ("startup", "s")}  # title, unit
_DPI = 110
_LEAST_FOR_HISTORY = 2

Rows = list[tuple[str, dict[str, Any]]]  # section's name, row
Draw = Callable[[Axes], None]


def draw(bench: dict[str, Any], lines: Sequence[dict[str, Any]], path: Path) -> None:
    """The panels that this bench has figures for, two in a row; `lines` is the history, this bench last."""
    panels = _panels(bench, lines)
    depth = max(1, (len(panels) + 1) // 2)
    figure = Figure(figsize=(15, 1.2 + 4.6 * depth), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(depth, 2)
    for index, panel in enumerate(panels):
        alone = index % 2 == 0 and index == len(panels) - 1
        panel(figure.add_subplot(grid[index // 2, :] if alone else grid[index // 2, index % 2]))
    machine = bench["machine"]
    noisy = "  QUICK: the figures are worth nothing" if bench["quick"] else ""
    figure.suptitle(
        f"What the harness itself costs{noisy}\n"
        f"{bench['date'][:16].replace('T', ' ')} UTC, {bench['commit']}, "
        f"{machine['cpu']}, {machine['cores_logical']} cores",
        fontsize=12,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _panels(bench: dict[str, Any], lines: Sequence[dict[str, Any]]) -> list[Draw]:
    rows: Rows = [
        (section["name"], row) for section in bench["sections"] for row in section["rows"] if row["value"] is not None
    ]
    ratios = [each for each in rows if each[0] in _RATIOS]
    costs = [each for each in rows if each[0] in _COSTS and each[1]["aim"] is not None]
    rounds = [row for name, row in rows if name == "round_cost"]
    peers = [row for name, row in rows if name == "loadgen"]
    panels: list[tuple[object, Draw]] = [
        (ratios, lambda axes: _ratios(axes, ratios)),
        (costs, lambda axes: _costs(axes, costs)),
        (rounds, lambda axes: _rounds(axes, rounds)),
        (peers, lambda axes: _peers(axes, peers)),
        (len(lines) >= _LEAST_FOR_HISTORY, lambda axes: _history(axes, lines)),
    ]
    return [panel for there, panel in panels if there]


def _ratios(axes: Axes, rows: Rows) -> None:
    axes.axvspan(*BAND, color=_AIMED, label=f"{BAND[0]}–{BAND[1]}")
    axes.axvline(1, color=_GOOD, linewidth=1)
    for y, (name, row) in enumerate(rows):
        low, high = row["low"] or row["value"], row["high"] or row["value"]
        colour = {True: _GOOD, False: _BAD}.get(row["overlaps_band"], _PLAIN) if name != "isolation" else _PLAIN
        axes.errorbar(
            row["value"], y, xerr=[[row["value"] - low], [high - row["value"]]], fmt="o", color=colour, capsize=4
        )
        _say_beside(axes, f"{row['value']:.3f}", high, y)
    _name_rows(axes, [f"{row['name']}\n{row['bare_median_ms']:.3g} ms, n = {row['n']}" for _, row in rows])
    axes.set_xlabel("ours ÷ bare loop, 95 % interval; isolation: zygote ÷ process")
    axes.legend(loc="lower right", fontsize=8)
    axes.margins(x=0.18)
    axes.set_title("Is our number the one a bare loop gives? (1 = yes)")


def _costs(axes: Axes, rows: Rows) -> None:
    """Each as a share of its aim, so that one line is the aim of all."""
    shares = [row["value"] / row["aim"] for _, row in rows]
    ends = [max(row["value"], row["high"] or 0) / row["aim"] for _, row in rows]
    axes.axvspan(0, 1, color=_AIMED)
    axes.axvline(1, color=_GOOD, linewidth=1)
    for y, ((section, row), share) in enumerate(zip(rows, shares, strict=True)):
        axes.barh(y, share, height=0.6, color=_GOOD if share < 1 else _BAD)
        if row["low"] is not None:
            bounds = [[share - row["low"] / row["aim"]], [row["high"] / row["aim"] - share]]
            axes.errorbar(share, y, xerr=bounds, color="black", capsize=3)
        _say_beside(axes, f"{row['value']:.2f} {_COSTS[section][1]} (aim {row['aim']:g})", ends[y], y)
    _name_rows(axes, [f"{_COSTS[section][0]}: {row['name']}" for section, row in rows])
    axes.set_xlim(0, 1.4 * max(1.0, *ends))
    axes.set_xlabel("share of the aim (1 = the aim; below is better)")
    axes.set_title("Does it cost little enough? (inside the green = yes)")


def _rounds(axes: Axes, rows: list[dict[str, Any]]) -> None:
    # The longest list first: a page's parts are a worker's and some more, in the order of time.
    by_length = sorted(rows, key=lambda row: -len(row["parts"]))
    parts = list(dict.fromkeys(part for row in by_length for part in row["parts"]))
    for y, row in enumerate(rows):
        left = 0.0
        for colour, part in zip(_PARTS, parts, strict=False):
            width = max(0.0, row["parts"].get(part, 0.0))
            axes.barh(y, width, left=left, height=0.55, color=colour)
            left += width
        text = f"{row['value']:.0f} ms" + (f"\n({row['low']:.0f}–{row['high']:.0f})" if row["low"] is not None else "")
        _say_beside(axes, text, left, y)
    handles = [axes.barh(0, 0, color=colour, label=part) for colour, part in zip(_PARTS, parts, strict=False)]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, fontsize=8, frameon=False)
    _name_rows(axes, [row["name"] for row in rows])
    axes.margins(x=0.2)
    axes.set_xlabel("ms beyond prepare, load, first, warm and sample")
    axes.set_title("What does a Round cost beyond its work?")


def _peers(axes: Axes, rows: list[dict[str, Any]]) -> None:
    for y, row in enumerate(rows):
        axes.barh(y, row["value"], height=0.5, color=_GOOD if row["name"] == "harness" else _PLAIN)
        text = f"{row['value']:.1f} µs\n({row['reported_us']:.2f} µs in its median)"
        _say_beside(axes, text, max(0, row["value"]), y)
    _name_rows(axes, [row["name"] for row in rows])
    axes.set_xlim(0, 1.6 * max(1.0, *(row["value"] for row in rows)))
    axes.set_xlabel("µs per query beyond 1 ms of work, wall clock")
    axes.set_title("What does a peer cost around the same work?")


def _history(axes: Axes, lines: Sequence[dict[str, Any]]) -> None:
    """Per section the mean of its figures over those of the first bench that had them."""
    for name in dict.fromkeys(key.split("/")[0] for line in lines for key in line["headline"]):
        points = []
        for x, line in enumerate(lines):
            grown = [value / earliest for key, value in line["headline"].items()
                     if key.split("/")[0] == name and (earliest := _earliest(lines, key)) > 0]  # fmt: skip
            if grown:
                points.append((x, mean(grown)))
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.axhline(1, color=_PLAIN, linewidth=0.8)
    labels = [f"{line['date'][5:16].replace('T', ' ')}\n{(line['commit'] or '')[:12]}" for line in lines]
    every = max(1, len(lines) // 6)
    axes.set_xticks(range(0, len(lines), every), labels[::every], fontsize=8)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2f}×"))
    axes.set_ylabel("of the first bench's figure")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=5, fontsize=8, frameon=False)
    axes.set_title(f"Has it changed over {len(lines)} benches? (1 = no)")


def _earliest(lines: Sequence[dict[str, Any]], key: str) -> float:
    return float(next(line["headline"][key] for line in lines if key in line["headline"]))


def _say_beside(axes: Axes, text: str, x: float, y: float) -> None:
    """A figure in words, to the right of its mark, legible on any ground."""
    ground = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.0}
    axes.annotate(text, (x, y), (8, 0), textcoords="offset points", va="center", fontsize=9, bbox=ground)


def _name_rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x", color="#e0e0e0", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
