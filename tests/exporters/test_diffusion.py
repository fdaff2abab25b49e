"""The parts of diffusers' pipelines: each builds, runs, listens to all it is given, and is as large as published."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from exporters.quiet import quiet
from exporters.seam import ExportFailed
from exporters.worker import tasks_on_disk
from exporters.zoo import diffusion
from exporters.zoo.diffusion import Asked
from harness import catalog
from harness.core.leaves import named_tensors
from tests.exporters.asking import TASKS, ask, must_export

# From model cards and papers, in millions; what counts for an encoder or a decoder is that half alone.
PUBLISHED = {
    "sd15-unet": 860, "sd21-unet": 866, "sdxl-unet": 2567, "svd-unet": 1525, "ddpm-unet": 35.7,
    "sd3-transformer": 2028, "sd35-large-transformer": 8057, "flux-transformer": 11901, "flux2-transformer": 32000,
    "pixart-alpha-transformer": 611, "sana-transformer": 1604, "lumina2-transformer": 2610,
    "auraflow-transformer": 6833, "hunyuan-dit": 1500, "cogvideox-transformer": 1694, "cogvideox-5b-transformer": 5570,
    "cogview4-transformer": 6370,
    "ltx-video-transformer": 1923, "wan-transformer": 14288, "wan-1.3b-transformer": 1419,
    "hunyuan-video-transformer": 12821, "mochi-transformer": 10028, "qwen-image-transformer": 20430,
    "chroma-transformer": 8900, "stable-audio-dit": 1057, "z-image-transformer": 6155, "hidream-transformer": 17100,
    "stable-cascade-prior": 3590, "sd15-controlnet": 361, "sdxl-controlnet": 1251, "sd-vae-decoder": 49.5,
    "sd-vae-encoder": 34.2, "taesd-decoder": 1.22, "text-to-video-unet": 1411,
}  # fmt: skip
# Gates, and a condition that a small convolution brings in, leave less than this of some inputs; nothing leaves more
# than all. Rounding of float32 leaves some 1e-6.
HEARD = 2e-4
OFTEN = ("sd15-unet", "sd3-transformer", "sd-vae-encoder", "sd-vae-decoder", "sd15-controlnet")  # at every commit


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """For tensors this small, a second thread is only something to wait for."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(module: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    with quiet(), torch.no_grad():
        given = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in inputs.items()}
        found = named_tensors(module(**given), lambda value: isinstance(value, torch.Tensor), inputs)
    return {name: value.float().numpy() for name, value in found.items()}


def changed(array: Any) -> Any:
    """Another value that the same input may have: a mask loses its last place, numbers move."""
    if array.dtype.kind in "ib" or (array == 1).all():
        if (array == 1).all() and array.size > 1:
            other = array.copy()
            other.reshape(-1)[-1] = 0
            return other
        return np.roll(array, 1, -1) if np.unique(array).size > 1 else np.maximum(array // 2, 1)
    return array + np.random.default_rng(1).standard_normal(array.shape).astype(array.dtype)


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.long] * (each not in OFTEN)) for each in diffusion.names()]
)
def test_every_part_runs_and_its_outputs_depend_on_each_input(name: str) -> None:
    module = diffusion.build(name, Asked("tiny"))
    inputs = diffusion.make_inputs(name, module, Asked("tiny"))
    outputs = run(module, inputs)
    assert outputs and all(np.isfinite(array).all() for array in outputs.values())
    assert any(array.std() > 1e-3 for array in outputs.values())
    for argument, array in inputs.items():
        others = run(module, {**inputs, argument: changed(array)})
        share = max(
            np.abs(others[key] - want).max() / np.abs(want).max() for key, want in outputs.items() if want.any()
        )
        assert share > HEARD, f"{name} does not listen to {argument}"


@pytest.mark.parametrize("name", ["sdxl-unet", "flux-transformer", "sd-vae-encoder", "wan-transformer"])
def test_what_was_saved_is_read_back_and_called_alike(name: str, tmp_path: Path) -> None:
    module = diffusion.build(name, Asked("tiny", seed=3))
    inputs = diffusion.make_inputs(name, module, Asked("tiny", seed=3))
    diffusion.save(module, tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.suffix not in (".json", ".safetensors")]
    wanted, got = run(module, inputs), run(diffusion.load(tmp_path), inputs)
    assert wanted.keys() == got.keys()
    for key, want in wanted.items():
        np.testing.assert_allclose(got[key], want, rtol=1e-3, atol=1e-4 * np.abs(want).max())


def test_the_seed_is_all_that_the_numbers_depend_on() -> None:
    def made(seed: int) -> dict[str, Any]:
        module = diffusion.build("sd3-transformer", Asked("tiny", seed=seed))
        return run(module, diffusion.make_inputs("sd3-transformer", module, Asked("tiny", seed=seed)))

    first, again, other = made(0)["sample"], made(0)["sample"], made(1)["sample"]
    assert np.array_equal(first, again) and not np.allclose(first, other)


@pytest.mark.parametrize("name", ["sd15-unet", "qwen-image-transformer", "svd-vae-decoder", "mochi-transformer"])
def test_a_batch_has_as_many_items_and_they_differ(name: str) -> None:
    asked = Asked("tiny", batch_size=2)
    module = diffusion.build(name, asked)
    (output,) = run(module, diffusion.make_inputs(name, module, asked)).values()
    one, two = np.split(output, 2)
    assert one.shape[0] >= 1 and not np.allclose(one, two)


def test_length_is_that_of_the_text_and_refused_where_there_is_none() -> None:
    module = diffusion.build("sd15-unet", Asked("tiny", length=5))
    inputs = diffusion.make_inputs("sd15-unet", module, Asked("tiny", length=5))
    assert inputs["encoder_hidden_states"].shape[1] == 5
    with pytest.raises(ExportFailed, match="no text"):
        diffusion.make_inputs("ddpm-unet", diffusion.build("ddpm-unet", Asked("tiny")), Asked("tiny", length=5))


def test_the_catalogue_counts_what_was_published() -> None:
    known = catalog.architectures()
    for name, millions in PUBLISHED.items():
        assert known[name].parameters == pytest.approx(millions * 1e6, rel=0.01), name


def test_the_catalogue_has_every_part_and_no_name_twice() -> None:
    from exporters.zoo.registry import registered

    known, described = catalog.architectures(), diffusion.describe()
    assert set(described) == {name for name, entry in known.items() if entry.family == "diffusion"}
    assert not set(described) & set(registered())
    for name, entry in described.items():
        assert entry["task"] in {task["name"] for task in tasks_on_disk()}
        assert {**entry, "parameters": known[name].parameters} == known[name].model_dump(include=set(entry)) | {
            "modalities": list(known[name].modalities)
        }


def test_configs_name_only_arguments_that_their_class_has() -> None:
    import diffusers

    for name in diffusion.names():
        part = diffusion.part_of(name)
        takes = inspect.signature(getattr(diffusers, part.built_by).__init__).parameters
        assert not {*part.config, *part.tiny} - takes.keys(), name


def request(name: str, task: str) -> dict[str, Any]:
    model = {"name": name, "kind": "architecture", "identity": name, "architecture": name}
    model |= {"weights": "random", "scale": "tiny", "family": "diffusion"}
    return {"model": model, "task": TASKS[task], "batch_size": 1, "length": None, "exporter": "torchscript", "seed": 0}


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "task"),
    [("sdxl-unet", "denoising"), ("pixart-alpha-transformer", "denoising"), ("sd-vae-decoder", "latent-decoding")],
)
def test_a_graph_gives_what_the_module_gives(name: str, task: str, tmp_path: Path) -> None:
    made = must_export(request(name, task), tmp_path)
    assert made.artifact.lacks == {}
    got, wanted = made.run_onnxruntime(), made.arrays("expected")
    assert got.keys() == wanted.keys()
    for key, want in wanted.items():
        np.testing.assert_allclose(got[key], want, rtol=1e-3, atol=1e-4 * np.abs(want).max())


def test_a_part_is_refused_for_a_task_of_another(tmp_path: Path) -> None:
    last = ask(request("sd-vae-decoder", "denoising"), tmp_path)
    assert last["event"] == "unsupported" and "latent-decoding" in last["reason"]
