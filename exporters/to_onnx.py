"""transformers → ONNX through transformers' own exporter; the eager fp32 result is the reference.

Shapes are static: WebNN accepts nothing else, and the inputs are frozen anyway.
"""

DESCRIBE = {
    "name": "transformers",
    "takes": ["architecture", "pretrained"],
    "formats": ["onnx"],
    "environment": "main",
    "packages": ["transformers", "torch", "onnx", "onnxscript", "safetensors"],
    "install": "pip install 'model-benchmark-harness[export]'",
}

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers

from exporters.checks import broken_numbers, disagreement, flat_numbers
from exporters.graphs.run import REFERENCE_THREADS, first_line, run_onnxruntime
from exporters.pipelines import answer_of
from exporters.quiet import quiet
from exporters.seam import ExportFailed, ExportUnsupported, Job, Product
from exporters.source import Found, fetch_weights, locate
from exporters.zoo.build import (
    check_length,
    default_config,
    load_model,
    random_model,
    settle_random,
    settled,
    sized_config,
)
from exporters.zoo.data import first_attribute, table
from exporters.zoo.images import PROCESSOR, write_processor
from exporters.zoo.inputs import Ask, make_inputs, tokenizer_in
from exporters.zoo.registry import auto_class, family_of
from exporters.zoo.wordpiece import write_tokenizer
from harness.core.nouns import Graph

GRAPH = "onnx/fp32/model.onnx"
TOKENIZER_FILES = (
    "tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "spiece.model",
    "sentencepiece*.model", "chat_template*", "preprocessor_config.json", "processor_config.json",
)  # fmt: skip
_SHA256 = re.compile(r"(sha256:)?[0-9a-f]{64}")


@dataclass(frozen=True)
class Built:
    """A module saved in `hf/`: its class, its tokenizer (`made` here where it brought none), what to say about it."""

    cls: Any
    weights_from: str
    tokenizer: Any
    made: bool
    notes: tuple[str, ...] = ()


def export(job: Job) -> Product:
    """Build or load the module, save it, freeze inputs and reference, export the graph, check that they agree.

    Raises ExportFailed or ExportUnsupported. Whatever is measured later is what `hf/` holds: the reference and the
    graph are made from the module as read back from there.
    """
    if job.request.precision != "fp32":
        raise ExportUnsupported(f"this exporter makes fp32, not {job.request.precision}")
    with quiet():
        transformers.utils.logging.disable_progress_bar()
        torch.set_num_threads(REFERENCE_THREADS)
        built = _build(job)
        kinds = list(table("rules")["attention"])
        for kind in kinds:
            try:
                product = _export_with(job, built, kind)
            except ExportFailed as failure:
                if failure.code not in ("export_failed", "export_disagrees", "no_attention") or kind == kinds[-1]:
                    raise
                built = replace(built, notes=(*built.notes, f"attention {kind} did not export: {failure}"))
                job.say(f"attention {kind} did not export, trying the next")
            else:
                return product
    raise AssertionError("the last kind of attention either returns or raises")


def _build(job: Job) -> Built:
    """The module into `hf/`, with its tokenizer where there is one."""
    model, hf = job.request.model, job.out / "hf"
    found = None if model.kind == "architecture" else _found(job)
    if model.weights == "pretrained":
        if found is None or model.scale != "full":
            raise ExportFailed(
                "no_pretrained_weights", f"there are no {model.scale} pretrained weights of {model.name}"
            )
        job.say(f"loading {model.name} from {found.weights_from}")
        folder = fetch_weights(found, model.trust_remote_code)
        config = settled(_config_in(folder, model.trust_remote_code))
        auto = _auto_class(job, config)
        module = _translated("load_failed", load_model, auto, folder, config, "eager", model.trust_remote_code)
        weights_from = found.weights_from
    else:
        config = sized_config(_config_in(found.path) if found else default_config(model.identity), model.scale)
        settle_random(config, job.request.task.name)
        job.say(f"building {model.name} ({model.scale}, random weights)")
        auto = auto_class(job.request.task, config.model_type)
        module = _translated("build_failed", random_model, auto, config, job.request.seed)
        weights_from = f"random, seed {job.request.seed}" + (f", config of {found.weights_from}" if found else "")
    # With the model's own code, where it was allowed: what runs later is what is kept here.
    module.save_pretrained(str(hf))
    tokenizer: Any = None
    notes: tuple[str, ...] = ()
    made = model.weights == "random"
    if made:
        tokenizer = _make_readers(job, hf, config)
    else:
        _copy_readers(folder, hf, TOKENIZER_FILES if "tokens" in job.request.task.inputs else (PROCESSOR,))
        tokenizer = tokenizer_in(hf) if "tokens" in job.request.task.inputs else None
        if tokenizer is None and "tokens" in job.request.task.inputs:
            notes = ("no tokenizer that can be read: inputs are seeded token ids",)
    return Built(type(module), weights_from, tokenizer, made, notes)


def _make_readers(job: Job, hf: Path, config: Any) -> Any:
    """A tokenizer or an image processor for a model whose weights are random, so that a pipeline of it is whole."""
    task = job.request.task
    if "tokens" in task.inputs and family_of(config.model_type)["family"] == "text_encoder":
        write_tokenizer(hf, config.vocab_size, first_attribute(config, table("rules")["position_limits"]))
        return tokenizer_in(hf)
    if task.inputs == ("image",) and family_of(config.model_type)["family"] == "vision":
        write_processor(hf, config)
    return None


def _found(job: Job) -> Found:
    """Where the identity's bytes are: by sha256 a local folder, `hub id@what` otherwise, where `what` is a commit (the
    cache may hold only its config so far) or the words for a copy that is no commit (then the path is that copy)."""
    model = job.request.model
    hub_id, _, what = model.identity.partition("@")
    if model.path is not None and _SHA256.fullmatch(model.identity):
        return locate(model.path)
    if model.path is not None and what and model.revision is None:
        return replace(locate(model.path), weights_from=what)
    return locate(hub_id, model.revision)


def _auto_class(job: Job, config: Any) -> Any:
    """The Auto class of the task; where the model brings its own code, one that this code offers."""
    offered = getattr(config, "auto_map", None) or {}
    if job.request.model.trust_remote_code and offered:
        for name in job.request.task.auto_classes:
            if name in offered:
                return getattr(transformers, name)
        said = f"its code offers {', '.join(sorted(offered))}; {job.request.task.name} needs"
        raise ExportUnsupported(f"{said} {' or '.join(job.request.task.auto_classes)}; see --task")
    return auto_class(job.request.task, config.model_type)


def _config_in(folder: Path, trusted: bool = False) -> Any:
    """transformers' config of a folder; raises ExportFailed when it does not know the architecture."""
    try:
        return transformers.AutoConfig.from_pretrained(str(folder), trust_remote_code=trusted, local_files_only=True)
    except (ValueError, OSError, KeyError) as error:
        raise ExportFailed("unknown_architecture", first_line(error)) from error
    except Exception as error:  # values of wrong types end in whatever first meets them
        raise ExportFailed("broken_config", f"{type(error).__name__}: {first_line(error)}") from error


def _translated(code: str, function: Any, *arguments: Any) -> Any:
    """What the function returns; what a model's own code raises, of whatever kind, becomes an ExportFailed."""
    try:
        return function(*arguments)
    except (ExportFailed, ExportUnsupported):
        raise
    except Exception as error:
        raise ExportFailed(code, f"{type(error).__name__}: {first_line(error)}") from error


def _copy_readers(folder: Path, hf: Path, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        for path in folder.glob(pattern):
            if path.is_file():
                shutil.copyfile(path, hf / path.name)


def _export_with(job: Job, built: Built, attention: str) -> Product:
    """Everything from the module in `hf/` on, with one kind of attention."""
    request = job.request
    try:
        module = load_model(built.cls, job.out / "hf", attention=attention)
    except ValueError as error:
        raise ExportFailed("no_attention", first_line(error)) from error
    length = check_length(module, request.length)
    # Where the tokenizer was made here, a task that had seeded ids before there was one keeps them.
    reads = not built.made or request.task.name in table("rules")["reads_made_tokenizer"]
    ask = Ask(module.config, request.batch_size, length, request.seed, built.tokenizer if reads else None)
    inputs = make_inputs(request.task.inputs, ask)
    expected = _reference(module, inputs)
    job.say(f"exporting {type(module).__name__} with {attention} attention")
    opset, names, dropped = _translated("export_failed", _export_graph, module, inputs, expected, job.out / GRAPH)
    if missing := sorted(set(expected) ^ set(names)):
        raise ExportFailed("outputs_differ", f"graph and module do not both give {', '.join(missing)}")
    expected = {name: expected[name] for name in names}
    notes = (*built.notes, f"attention {attention}", *dropped, _agreement(job, inputs, expected))
    pipeline, why_none = answer_of(request.task.name, module, job.out / "hf", ask, built.tokenizer)
    data = f"{GRAPH}.data"
    return Product(
        weights_from=built.weights_from,
        reference="pytorch-fp32",
        inputs=inputs,
        expected=expected,
        onnx={"fp32": Graph(file=GRAPH, external=(data,) if (job.out / data).exists() else ())},
        opset=opset,
        built_by=built.cls.__name__,
        hf="hf",
        pipeline=pipeline,
        notes=(*notes, why_none) if why_none else notes,
    )


def _tensors(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: torch.from_numpy(array.copy()) for name, array in inputs.items()}


def _reference(module: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The eager fp32 outputs, top-level tensors only; raises ExportFailed when they could prove nothing."""
    with torch.no_grad():
        outputs = _translated("forward_failed", lambda: module(**_tensors(inputs)))
    expected = {name: value.numpy() for name, value in outputs.items() if isinstance(value, torch.Tensor)}
    if not expected:
        raise ExportFailed("no_outputs", f"{type(module).__name__} gives no tensor")
    if sentence := broken_numbers(expected) or flat_numbers(expected):
        raise ExportFailed("degenerate_output", f"{type(module).__name__}: {sentence}, so no check could fail")
    return expected


def _export_graph(
    module: Any, inputs: dict[str, Any], expected: dict[str, Any], path: Path
) -> tuple[int, list[str], tuple[str, ...]]:
    """Write the graph and its external data; returns opset, output names, and a note for outputs left out."""
    from transformers.exporters import OnnxConfig, OnnxExporter

    path.parent.mkdir(parents=True, exist_ok=True)
    program = OnnxExporter().export(module, _tensors(inputs), config=OnnxConfig(dynamic=False)).program
    graph = program.graph
    if different := {value.name for value in graph.inputs} ^ set(inputs):
        raise ExportFailed("inputs_differ", f"graph and module do not both take {', '.join(sorted(different))}")
    nested = [value for value in graph.outputs if value.name not in expected]
    for value in nested:
        graph.outputs.remove(value)
    OnnxExporter.save_program(program, path)
    dropped = ", ".join(str(value.name) for value in nested)
    notes = (f"nested outputs left out of the graph: {dropped}",) if nested else ()
    return int(program.opset_imports[""]), [str(value.name) for value in graph.outputs], notes


def _agreement(job: Job, inputs: dict[str, Any], expected: dict[str, Any]) -> str:
    """A note on how far the graph is from the module; raises ExportFailed `export_disagrees` beyond all reason."""
    job.say("checking the graph against the module")
    try:
        got = run_onnxruntime(job.out / GRAPH, inputs)
    except ImportError:
        return "onnxruntime is not installed: the graph was not checked against the module"
    share, sentence = disagreement(expected, got)
    if sentence:
        raise ExportFailed("export_disagrees", f"the exported graph is wrong: {sentence}")
    return f"ONNX Runtime agrees with the module within {share:.1g} of each output's scale"
