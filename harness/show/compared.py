"""What `compare` found, for people and programs."""

from collections import Counter
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from harness.analyse.sides import Compared
from harness.core.text import one_line
from harness.show.versions import comparison_table, comparisons_as_json


def compared_table(found: Compared, first: str, second: str) -> RenderableType:
    """A row per pair; what is left out by reason."""
    lines = [Text(one_line(f"{count} left out: {why}", 400), style="dim") for why, count in _reasons(found).items()]
    heading = Text(one_line(f"{second} against {first}: below 1 the second is faster", 200))
    table = [comparison_table(found.found)] if found.found else [Text("nothing that could be compared")]
    return Group(heading, *table, *lines)


def compared_as_json(found: Compared, measured_in: str | None) -> dict[str, Any]:
    """`measured_in`: the Run in which `--until-decided` measured; null where it was not asked for or not needed."""
    return {
        "comparisons": comparisons_as_json(found.found),
        "left_out": [
            {
                "run_id": each.point[1].run_id,
                "case_id": each.point[0].case_id,
                "slug": each.point[0].slug,
                "why": each.why,
            }
            for each in found.left_out
        ],
        "measured_in": measured_in,
    }


def _reasons(found: Compared) -> Counter[str]:
    return Counter(each.why for each in found.left_out)
