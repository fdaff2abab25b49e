"""What lays out the inputs is known while a graph is made, and what follows from it is computed once."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from exporters.graphs.run import run_onnxruntime
from exporters.known import constant, folded, knowable, known_values

GRID = np.array([[1, 2, 3], [1, 1, 2]], np.int64)
X = np.arange(16, dtype=np.float32).reshape(8, 2)
# Each of the eight rows belongs to the first picture of 2 × 3 patches or to the second of 1 × 2; a picture's rows are
# replaced by their sum, and each row is multiplied by its picture's number of patches.
EXPECTED = np.concatenate([np.tile(X[:6].sum(0) * 6, (6, 1)), np.tile(X[6:].sum(0) * 2, (2, 1))])


class Pictures(torch.nn.Module):
    """Reads its grid as models do: to decide, as numbers for shapes, as a tensor of tensors, through a mask."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grid = constant(GRID)
        patches = grid.prod(-1)
        parts = torch.split(x, patches.tolist())
        sizes = torch.tensor([height * width if height > 1 else width for _, height, width in grid])
        rows = torch.zeros(8, dtype=torch.long)
        rows[torch.ones(8, dtype=torch.long).bool()] = sizes.repeat_interleave(patches)
        return torch.cat([part.sum(0).expand(part.shape) for part in parts]) * rows[:, None]


def program() -> Any:
    with torch.no_grad():
        return torch.export.export(Pictures(), (torch.from_numpy(X),), strict=False)


def test_without_it_the_trace_stops_at_the_first_number() -> None:
    with pytest.raises(Exception, match="data-dependent"):
        program()


@pytest.mark.filterwarnings("ignore")
def test_the_graph_computes_nothing_of_constants_alone_and_agrees(tmp_path: Path) -> None:
    with torch.no_grad(), known_values():
        made = folded(program())
        torch.onnx.export(made, (), str(tmp_path / "m.onnx"), dynamo=True, verbose=False, input_names=["x"])
    made_of = {node.name: node.all_input_nodes for node in made.graph.nodes if node.op == "call_function"}
    assert made_of and all(made_of.values()), "no factory is left, and what was made of one neither"
    graph = onnx.load(str(tmp_path / "m.onnx")).graph
    assert [value.name for value in graph.input] == ["x"]
    (got,) = run_onnxruntime(tmp_path / "m.onnx", {"x": X}).values()
    np.testing.assert_allclose(got, EXPECTED)
    (other,) = run_onnxruntime(tmp_path / "m.onnx", {"x": X[::-1].copy()}).values()
    assert not np.allclose(other, EXPECTED), "x is no constant"


def test_torch_is_afterwards_as_it_was() -> None:
    before = torch.tensor
    with known_values():
        assert torch.tensor is not before
        several = torch.tensor([torch.tensor(3, dtype=torch.int32), torch.tensor(4, dtype=torch.int32)])
    assert torch.tensor is before
    assert several.dtype == torch.int32 and several.tolist() == [3, 4]


def test_only_layouts_and_masks_that_mask_nothing_are_constants() -> None:
    inputs = {
        "input_ids": np.array([[5, 7]]),
        "image_grid_thw": GRID,
        "target_sizes": np.array([[2.0, 3.0]], np.float32),
        "attention_mask": np.ones((1, 2), np.int64),
        "other_mask": np.array([[1, 0]]),
        "scale": np.ones(3, np.float32),
    }
    assert list(knowable(inputs)) == ["image_grid_thw", "attention_mask"]


class Checked(torch.nn.Module):
    """As models check that there is a feature for each token that stands for one."""

    def forward(self, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        marked = ids == 7
        if x[marked].numel() != 4:
            raise ValueError("not as many as there should be")
        return torch.where(marked[:, None], x * constant(GRID).sum(), x)


@pytest.mark.filterwarnings("ignore")
def test_a_check_on_values_is_taken_to_pass_and_that_is_said() -> None:
    x, ids = torch.from_numpy(X), torch.tensor([7, 1, 1, 7, 2, 3, 4, 5])
    with torch.no_grad(), known_values() as assumed:
        made = folded(torch.export.export(Checked(), (x, ids), strict=False))
    assert len(assumed) == 1 and "4" in assumed[0]
    got = made.module()(x, ids)
    rows = X * np.where(np.isin(np.arange(8), (0, 3)), GRID.sum(), 1)[:, None]
    np.testing.assert_allclose(got, rows)
