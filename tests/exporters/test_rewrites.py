"""Simplified graphs compute what the module does, also where axes happen to be of one size."""

from pathlib import Path

import numpy as np
import pytest
import torch

from exporters.graphs.run import run_onnxruntime
from exporters.rewrites import sound_rewrites

HEADS = BLOCKS = 2


class ByHead(torch.nn.Module):
    """Blocks [1, heads, blocks, 3, 4] times one matrix per head: [heads, 4, 5]."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(HEADS * 20, dtype=torch.float32).reshape(HEADS, 4, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        product = torch.matmul(x.reshape(1, HEADS, BLOCKS * 3, 4), self.weight)
        return product.reshape(1, HEADS, BLOCKS, 3, 5)


class Clipped(torch.nn.Module):
    """One tensor is clipped to two ranges, and each of them once more."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        doubled = 2 * x
        return doubled.clamp(-3, 3).clamp(-2, 5) - doubled.clamp(-9, 9).clamp(-7, 8)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("module", "shape"), [(ByHead(), (1, HEADS, BLOCKS, 3, 4)), (Clipped(), (40,))])
def test_the_graph_agrees(module: torch.nn.Module, shape: tuple[int, ...], tmp_path: Path) -> None:
    x = np.linspace(-20, 20, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    with torch.no_grad(), sound_rewrites():
        torch.onnx.export(module, (torch.from_numpy(x),), str(tmp_path / "m.onnx"), dynamo=True, verbose=False,
                          input_names=["x"])  # fmt: skip
    (got,) = run_onnxruntime(tmp_path / "m.onnx", {"x": x}).values()
    if isinstance(module, Clipped):
        expected = np.clip(2 * x, -2, 3) - np.clip(2 * x, -7, 8)
    else:
        weight = np.arange(HEADS * 20, dtype=np.float32).reshape(HEADS, 4, 5)
        expected = np.einsum("nhbij,hjk->nhbik", x, weight)
    np.testing.assert_allclose(got, expected, rtol=1e-5)
