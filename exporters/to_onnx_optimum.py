"""A module → ONNX as optimum's exporter does it, which made most of the graphs that people download.

It runs in an environment of its own, with the older transformers that optimum requires: so the module there is an
older release's, made from the same `hf/`. Whether it is the same model is seen by its numbers.
"""

DESCRIBE = {
    "name": "optimum",
    "version": 1,
    "takes": ["architecture", "pretrained"],
    "formats": ["onnx"],
    "environment": "optimum",
    "packages": ["optimum", "optimum-onnx", "transformers", "torch", "onnx"],
    "install": "harness export --exporter optimum makes it (some minutes, 1.3 GB)",
}

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from exporters.seam import ExportFailed, ExportUnsupported, Subject

VARIANTS = ("default",)  # kind of attention: what the older transformers takes when it is not told
GRAPHS = "*.onnx"
# What optimum's graphs want to be given and our modules work out themselves: shape → what it is then.
_WORKED_OUT: Mapping[str, Callable[[tuple[int, ...]], Any]] = {
    "position_ids": lambda shape: np.broadcast_to(np.arange(shape[-1]), shape),
    "token_type_ids": np.zeros,
    "attention_mask": np.ones,
    "decoder_attention_mask": np.ones,
}
# Sizes that optimum assumes where a model allows only its own: input → optimum's name of a size and its axis.
_SIZES = {"input_features": {"feature_size": 1, "nb_max_frames": 2}}


def make(subject: Subject, path: Path, variant: str) -> tuple[str, ...]:
    """Write the graph with the sizes of the frozen inputs; raises ExportUnsupported in optimum's words for what it
    does not know, ExportFailed `missing_weights` or `outputs_differ`."""
    from optimum.exporters.onnx import onnx_export_from_model

    config, restated = _config(subject)
    module = _module(subject, config)
    _refuse_unknown(config.model_type, subject.task)
    raw = path.with_name("raw")
    sizes = {
        size: subject.inputs[name].shape[axis]
        for name, axes in _SIZES.items() if name in subject.inputs
        for size, axis in axes.items()
    }  # fmt: skip
    onnx_export_from_model(
        module, raw, task=subject.task, monolith=True, do_validation=False, no_post_process=True, **sizes
    )
    made = sorted(file.name for file in raw.glob(GRAPHS))
    if len(made) != 1:
        raise ExportFailed("several_graphs", f"optimum made {', '.join(made) or 'no graph'}, where one is asked for")
    model = onnx.load(str(raw / made[0]))
    opened = [value.name for value in model.graph.output]
    fixed = fix_sizes(model, subject)
    onnx.save(model, str(path), save_as_external_data=True, location=f"{path.name}.data")
    onnx.shape_inference.infer_shapes_path(str(path), str(path), data_prop=True)  # anew, of the fixed sizes
    for file in raw.iterdir():
        file.unlink()
    raw.rmdir()
    more = [name for name in opened if name not in subject.expected]
    said = f"outputs of optimum's graph that are left out: {', '.join(more)}" if more else ""
    return (*restated, *fixed, said) if said else (*restated, *fixed)


def restate_rope(config: dict[str, Any]) -> bool:
    """Rotary positions as transformers 4 spells them, wherever they are in a config, in place; whether there were any.

    transformers 5 writes `rope_parameters: {rope_type, rope_theta, …}`; 4 reads `rope_theta` and `rope_scaling`.
    """
    nested = [restate_rope(value) for value in config.values() if isinstance(value, dict)]
    rope = config.get("rope_parameters")
    # A dict per kind of layer has no one older spelling.
    if not isinstance(rope, dict) or any(isinstance(value, dict) for value in rope.values()):
        return any(nested)
    beside = {name: rope[name] for name in ("rope_theta", "partial_rotary_factor") if name in rope}
    scaling = {name: value for name, value in rope.items() if name not in beside}
    config.update(beside)
    if scaling.get("rope_type", "default") != "default":
        config["rope_scaling"] = scaling
    return True


def fix_sizes(model: Any, subject: Subject) -> tuple[str, ...]:
    """Write the sizes of the frozen inputs and of the outputs into the graph, in place, and make constants of inputs
    that the module works out itself; notes on those."""
    graph = model.graph
    symbols: dict[str, int] = {}
    for value in graph.input:
        if value.name in subject.inputs:
            dims = value.type.tensor_type.shape.dim
            for dim, size in zip(dims, subject.inputs[value.name].shape, strict=False):
                if dim.dim_param:
                    symbols[dim.dim_param] = size
    notes = []
    for value in list(graph.input):
        if value.name in subject.inputs:
            _set_shape(value, subject.inputs[value.name].shape)
        elif value.name in _WORKED_OUT:
            notes.append(_make_constant(graph, value, symbols))
    for value in graph.output:
        if value.name in subject.expected:
            _set_shape(value, subject.expected[value.name].shape)
    del graph.value_info[:]  # they name the symbols
    return tuple(notes)


def _make_constant(graph: Any, value: Any, symbols: Mapping[str, int]) -> str:
    kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    shape = tuple(symbols.get(dim.dim_param, dim.dim_value) for dim in value.type.tensor_type.shape.dim)
    array = np.ascontiguousarray(_WORKED_OUT[value.name](shape).astype(kind))
    graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
    graph.input.remove(value)
    return f"{value.name} is an input of optimum's graph and a constant here"


def _set_shape(value: Any, shape: tuple[int, ...]) -> None:
    dims = value.type.tensor_type.shape
    del dims.dim[:]
    for size in shape:
        dims.dim.add().dim_value = size


def _config(subject: Subject) -> tuple[Any, tuple[str, ...]]:
    """The config as the older transformers reads it, and notes."""
    import transformers

    told = json.loads((subject.hf / "config.json").read_text("utf-8"))
    cls = getattr(transformers, subject.built_by, None)
    if cls is None or not subject.module.startswith("transformers."):
        raise ExportUnsupported(f"transformers {transformers.__version__} has no {subject.built_by}")
    notes = ("config: rotary positions respelled for transformers 4",) if restate_rope(told) else ()
    config = cls.config_class.from_dict(told)
    if hasattr(config, "use_cache"):
        config.use_cache = False
    return config, notes


def _module(subject: Subject, config: Any) -> Any:
    import torch
    import transformers

    module, info = getattr(transformers, subject.built_by).from_pretrained(
        str(subject.hf), config=config, dtype=torch.float32, use_safetensors=True, local_files_only=True,
        output_loading_info=True,
    )  # fmt: skip
    mismatched = [entry if isinstance(entry, str) else entry[0] for entry in info.get("mismatched_keys", ())]
    if missing := sorted({*info["missing_keys"], *mismatched}):
        named = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        said = f"transformers {transformers.__version__} finds no weights for {named}"
        raise ExportFailed("missing_weights", said)
    return module.eval()


def _refuse_unknown(model_type: str, task: str) -> None:
    """In optimum's terms: the architectures that it has an export for, and their tasks."""
    import optimum.exporters.onnx.model_configs  # noqa: F401 (registers what it can export)
    from optimum.exporters.tasks import TasksManager

    try:
        tasks = TasksManager.get_supported_tasks_for_model_type(model_type, "onnx", library_name="transformers")
    except KeyError as error:
        raise ExportUnsupported(f"optimum has no ONNX export of {model_type}") from error
    if task not in tasks:
        raise ExportUnsupported(f"optimum exports {model_type} for {', '.join(tasks)}; not for {task}")
