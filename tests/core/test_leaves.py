"""Names of what a module returns."""

from collections import OrderedDict
from typing import Any

import pytest

from harness.core.leaves import named_tensors


class Cache:
    def __init__(self) -> None:
        self.keys = [1.0]


@pytest.mark.parametrize(
    ("returned", "names"),
    [
        ({"logits": 1.0, "loss": None}, {"logits": 1.0}),
        ({"logits": 1.0, "hidden": (2.0, 3.0)}, {"logits": 1.0}),
        (OrderedDict(a={"pooled": 1.0}, b=[2.0, (3.0, None)]), {"a.pooled": 1.0, "b.0": 2.0, "b.1.0": 3.0}),
        ((1.0, 2.0), {"0": 1.0, "1": 2.0}),
        ([(1.0,)], {"0.0": 1.0}),
        (1.0, {"output": 1.0}),
        ({"past": Cache()}, {}),
        ({"mask": 1.0, "logits": 2.0}, {"output.mask": 1.0, "logits": 2.0}),
    ],
)  # fmt: skip
def test_top_level_first_else_paths_and_no_caches(returned: Any, names: dict[str, float]) -> None:
    assert named_tensors(returned, lambda value: isinstance(value, float), {"mask"}) == names
