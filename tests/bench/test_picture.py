"""The picture is drawn for whatever there is, and shows something."""

from pathlib import Path
from typing import Any

import matplotlib.image
import pytest

from tests.bench.history import headline
from tests.bench.made_up import made_up_bench
from tests.bench.picture import draw
from tests.bench.table import bench_table, remarks


def line(bench: dict[str, Any], factor: float = 1.0) -> dict[str, Any]:
    return {**bench, "headline": {key: factor * value for key, value in headline(bench).items()}}


@pytest.mark.parametrize("benches", [1, 3])
def test_it_is_drawn_and_not_empty(tmp_path: Path, benches: int) -> None:
    bench = made_up_bench()
    path = tmp_path / "new" / "bench.png"
    draw(bench, [line(bench, 1 + 0.1 * n) for n in range(benches)], path)
    pixels = matplotlib.image.imread(path)
    assert pixels.shape[1] > 1000
    assert (pixels[..., :3].min(axis=2) < 0.9).mean() > 0.02, "a white sheet"


def test_a_bench_without_a_figure_has_a_picture_too(tmp_path: Path) -> None:
    draw(made_up_bench(sections=[]), [], tmp_path / "bench.png")
    assert (tmp_path / "bench.png").stat().st_size > 0


def test_the_table_has_a_row_per_section_and_figure() -> None:
    bench = made_up_bench()
    assert bench_table(bench).row_count == 5 + sum(len(each["rows"]) for each in bench["sections"])
    said = "\n".join(remarks(bench))
    assert "page, batched: 7, aim 5" in said
    assert "isolation: something. not there." in said
