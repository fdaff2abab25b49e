"""The part of an Artifact that no graph takes part in: the module in `hf/`, frozen inputs, what it gives (fp32, eager).

Whatever is measured later is what `hf/` holds: the reference is made by the module as read back from there, and so is
every graph.
"""

import importlib
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers.dynamic_module_utils import get_class_from_dynamic_module

from exporters.apart import as_ours
from exporters.graphs.run import REFERENCE_THREADS, first_line
from exporters.pipelines import answer_of
from exporters.planned import folder_as_planned
from exporters.quiet import quiet
from exporters.reference import kinds_of_attention, outputs_of, reference_of, tensors
from exporters.seam import ExportFailed, ExportUnsupported, Job, Product, Subject
from exporters.source import Found, fetch_weights, locate
from exporters.zoo import diffusion
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
from exporters.zoo.layers import cut_layers
from exporters.zoo.registry import auto_class, family_of
from exporters.zoo.wordpiece import write_tokenizer
from harness.core.calls import CALL_FILE
from harness.core.nouns import Model

TOKENIZER_FILES = (
    "tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "spiece.model",
    "sentencepiece*.model", "chat_template*", "preprocessor_config.json", "processor_config.json",
)  # fmt: skip
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Built:
    """A module saved in `hf/`: its class, its tokenizer (`made` here where it brought none), what to say about it."""

    cls: Any
    weights_from: str
    tokenizer: Any
    made: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ready:
    """A module as read back from `hf/`, and what it is given."""

    built: Built
    module: Any
    inputs: dict[str, Any]
    ask: Ask | None  # what a pipeline is made for; None where there is no pipeline of such a module


def make_subject(job: Job, folder: Path, stage: Callable[[str], None]) -> Product:
    """Build or load the module, save it, freeze inputs and reference; a Product that lacks its graph, and the Subject
    in `folder`, from which graphs are made. Raises ExportFailed or ExportUnsupported."""
    request = job.request
    with quiet():
        transformers.utils.logging.disable_progress_bar()
        torch.set_num_threads(REFERENCE_THREADS)
        ready = _part_of_diffusers(job) if request.model.identity in diffusion.names() else _of_transformers(job)
        built, inputs = ready.built, ready.inputs
        stage("forward")
        job.say(f"running {type(ready.module).__name__} once")
        expected, said = reference_of(ready.module, inputs)
        pipeline, why_none = None, None
        if ready.ask is not None:
            pipeline, why_none = answer_of(request.task.name, ready.module, job.out / "hf", ready.ask, built.tokenizer)
    name, trusted = built.cls.__name__, request.model.trust_remote_code
    Subject(job.out / "hf", built.cls.__module__, name, request.task.name, trusted, inputs, expected).save(folder)
    return Product(
        weights_from=built.weights_from,
        reference="pytorch-fp32",
        inputs=inputs,
        expected=expected,
        onnx={},
        built_by=name,
        hf="hf",
        pipeline=pipeline,
        notes=(*built.notes, *said, *filter(None, [why_none])),
    )


def _of_transformers(job: Job) -> Ready:
    request, built = job.request, _build(job)
    module = translated("load_failed", load_model, built.cls, job.out / "hf", None, "default")
    length = check_length(module, request.length)
    # Where the tokenizer was made here, a task that had seeded ids before there was one keeps them.
    reads = not built.made or request.task.name in table("rules")["reads_made_tokenizer"]
    tokenizer = built.tokenizer if reads else None
    ask = Ask(module.config, request.batch_size, length, request.seed, tokenizer, module)
    return Ready(built, module, make_inputs(request.task.inputs, ask), ask)


def _part_of_diffusers(job: Job) -> Ready:
    request, name, hf = job.request, job.request.model.identity, job.out / "hf"
    part = diffusion.part_of(name)
    if request.task.name != part.task:
        raise ExportUnsupported(f"{name} is for {part.task}, not for {request.task.name}")
    asked = diffusion.Asked(request.model.scale, request.batch_size, request.length, request.seed)
    job.say(f"building {name} ({asked.scale}, random weights)")
    module = translated("build_failed", diffusion.build, name, asked)
    diffusion.save(module, hf)
    built = Built(type(module), f"random, seed {asked.seed}, config of {part.source}", None, made=True)
    module = translated("load_failed", diffusion.load, hf)
    return Ready(built, module, diffusion.make_inputs(name, module, asked), None)


def module_of(subject: Subject, attention: str) -> Any:
    """The module in `hf/`; raises ExportFailed `no_attention` where it has none of that kind."""
    torch.set_num_threads(REFERENCE_THREADS)
    if (subject.hf / CALL_FILE).is_file():
        return diffusion.load(subject.hf)
    try:
        module = load_model(_class_of(subject), subject.hf, attention=attention)
    except ValueError as error:
        raise ExportFailed("no_attention", first_line(error)) from error
    if attention == "default" and kinds_of_attention(module) == {"eager"}:
        raise ExportFailed("no_attention", "what it takes by default is eager")
    return module


def ignores(module: Any, subject: Subject, names: Iterable[str]) -> dict[str, bool]:
    """Input → whether the module gives the same numbers for another value of it, or its value says nothing."""
    found = {}
    for name in names:
        array = subject.inputs[name]
        if array.dtype.kind in "iub" and array.size and (array == 1).all():
            found[name] = True  # a mask of ones masks nothing
            continue
        other = np.roll(array, 1) if np.unique(array).size > 1 else np.asarray(1 - array).astype(array.dtype)
        try:
            with torch.no_grad():
                got = outputs_of(module, tensors({**subject.inputs, name: other}))
        except Exception:  # a value that it cannot take at all
            found[name] = False
        else:
            found[name] = all(np.array_equal(got[key].numpy(), want) for key, want in subject.expected.items())
    return found


def _class_of(subject: Subject) -> Any:
    if not subject.module.startswith("transformers_modules."):
        return getattr(importlib.import_module(subject.module), subject.built_by)
    # The model's own code, from its folder; this process may not have imported it.
    offered = transformers.AutoConfig.from_pretrained(
        str(subject.hf), trust_remote_code=subject.trusted, local_files_only=True
    ).auto_map
    named = (each for each in offered.values() if isinstance(each, str))
    reference = next(each for each in named if each.rsplit(".", 1)[-1] == subject.built_by)
    return get_class_from_dynamic_module(reference, subject.hf, local_files_only=True)


def _build(job: Job) -> Built:
    """The module into `hf/`, with its tokenizer where there is one."""
    model = job.request.model
    found = None if model.kind == "architecture" else _found(job)
    if found is None or not _is_by_content(model):
        return _built(job, found)
    with folder_as_planned(model, found.path):
        return _built(job, found)


def _built(job: Job, found: Found | None) -> Built:
    model, hf = job.request.model, job.out / "hf"
    if model.weights == "pretrained":
        if found is None or model.scale != "full":
            raise ExportFailed(
                "no_pretrained_weights", f"there are no {model.scale} pretrained weights of {model.name}"
            )
        job.say(f"loading {model.name} from {found.weights_from}")
        folder = fetch_weights(found, model.trust_remote_code)
        config = settled(_config_in(folder, model.trust_remote_code))
        auto = _auto_class(job, config)
        module = translated("load_failed", load_model, auto, folder, config, "eager", model.trust_remote_code)
        weights_from = found.weights_from
    else:
        config = sized_config(_config_in(found.path) if found else default_config(model.identity), model.scale)
        if model.layers is not None:
            config = cut_layers(config, model.layers)
        settle_random(config, job.request.task.name)
        job.say(f"building {model.name} ({model.scale}, random weights)")
        auto = auto_class(job.request.task, config.model_type)
        module = translated("build_failed", random_model, auto, config, job.request.seed)
        weights_from = f"random, seed {job.request.seed}" + (f", config of {found.weights_from}" if found else "")
    # With the model's own code, where it was allowed: what runs later is what is kept here.
    module.save_pretrained(str(hf))
    tokenizer: Any = None
    notes: tuple[str, ...] = ()
    made = model.weights == "random"
    if made:
        tokenizer = _make_readers(job, hf, module)
    else:
        _copy_readers(folder, hf, TOKENIZER_FILES if "tokens" in job.request.task.inputs else (PROCESSOR,))
        tokenizer = tokenizer_in(hf) if "tokens" in job.request.task.inputs else None
        if tokenizer is None and "tokens" in job.request.task.inputs:
            notes = ("no tokenizer that can be read: inputs are seeded token ids",)
    return Built(type(module), weights_from, tokenizer, made, notes)


def _make_readers(job: Job, hf: Path, module: Any) -> Any:
    """A tokenizer or an image processor for a model whose weights are random, so that a pipeline of it is whole."""
    request, config = job.request, module.config
    family = family_of(config.model_type)["family"]
    # One without a vocabulary reads characters, not the words of this tokenizer.
    if "tokens" in request.task.inputs and family == "text_encoder" and hasattr(config, "vocab_size"):
        write_tokenizer(hf, config.vocab_size, first_attribute(config, table("rules")["position_limits"]))
        return tokenizer_in(hf)
    if request.task.inputs == ("image",) and family == "vision":
        write_processor(hf, Ask(config, request.batch_size, request.length, request.seed, module=module))
    return None


def _found(job: Job) -> Found:
    """Where the identity's bytes are: by sha256 a local folder, `hub id@what` otherwise, where `what` is a commit (the
    cache may hold only its config so far) or the words for a copy that is no commit (then the path is that copy)."""
    model = job.request.model
    hub_id, _, what = model.identity.partition("@")
    if model.path is not None and _is_by_content(model):
        return locate(model.path)
    if model.path is not None and what and model.revision is None:
        return replace(locate(model.path), weights_from=what)
    return locate(hub_id, model.revision)


def _is_by_content(model: Model) -> bool:
    """Whether it is a local folder, and its identity a digest of what lies there."""
    return model.path is not None and _SHA256.fullmatch(model.identity) is not None


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


def translated(code: str, function: Any, *arguments: Any) -> Any:
    """What the function returns; what it raises is ours (`as_ours`)."""
    with as_ours(lambda: code):
        return function(*arguments)


def _copy_readers(folder: Path, hf: Path, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        for path in folder.glob(pattern):
            if path.is_file():
                shutil.copyfile(path, hf / path.name)
