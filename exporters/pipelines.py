"""What a pipeline of transformers must answer, by the eager module: raw texts or images in, embeddings or scores out.

Written out here in full, since what is checked is what a pipeline adds around the graph.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from exporters.checks import SANITY_SHARE, broken_numbers, disagreement
from exporters.graphs.run import first_line
from exporters.seam import ExportUnsupported, PipelineProduct
from exporters.zoo.images import pixel_values, raw_images, unprocessable
from exporters.zoo.inputs import Ask, texts_of

Answered = tuple[PipelineProduct | None, str | None]
_Arrays = dict[str, Any]
# Other texts or images must change the answer by so many tolerances, else no mistake would be noticed.
_TELLING = 5


def answer_of(task: str, module: Any, hf: Path, ask: Ask, tokenizer: Any) -> Answered:
    """The pipeline of a task and of the module read from `hf`; or why there is none, as a note."""
    if task not in _PIPELINES:
        return None, None
    try:
        product, other = _PIPELINES[task](module, hf, ask, tokenizer)
    except ExportUnsupported as refusal:
        return None, f"no pipeline: {refusal}"
    # A model that cannot be called so, a processor's config of wrong types: the graph is exported all the same.
    except Exception as error:
        return None, f"no pipeline: {type(error).__name__}: {first_line(error)}"
    if sentence := broken_numbers(product.expected):
        return None, f"no pipeline: {sentence}"
    share, _ = disagreement(product.expected, other)
    if share < _TELLING * SANITY_SHARE:
        return None, f"no pipeline: its answer hardly depends on what it is given ({share:.1g} of its scale)"
    return product, None


def _embeddings(module: Any, hf: Path, ask: Ask, tokenizer: Any) -> tuple[PipelineProduct, _Arrays]:
    def answer(read: _Arrays) -> _Arrays:
        hidden = getattr(_run(module, read), "last_hidden_state", None)
        if hidden is None:
            raise ExportUnsupported(f"{type(module).__name__} gives no last_hidden_state")
        mask = read["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        return {"embeddings": torch.nn.functional.normalize(pooled, p=2, dim=1).numpy()}

    return _of_texts("feature-extraction", answer, hf, ask, tokenizer)


def _text_scores(module: Any, hf: Path, ask: Ask, tokenizer: Any) -> tuple[PipelineProduct, _Arrays]:
    _check_labels(module.config)
    return _of_texts("text-classification", lambda read: _scores(module, read), hf, ask, tokenizer)


def _image_scores(module: Any, hf: Path, ask: Ask, tokenizer: Any) -> tuple[PipelineProduct, _Arrays]:
    _check_labels(module.config)
    if reason := unprocessable(hf, ask):
        raise ExportUnsupported(reason)

    def answer(images: tuple[Any, ...]) -> _Arrays:
        return _scores(module, {"pixel_values": torch.from_numpy(pixel_values(hf, images))})

    images = raw_images(ask)
    product = PipelineProduct("image-classification", answer(images), images=images)
    return product, answer(tuple(np.ascontiguousarray(255 - image) for image in images))


_PIPELINES: dict[str, Callable[[Any, Path, Ask, Any], tuple[PipelineProduct, _Arrays]]] = {
    "feature-extraction": _embeddings,
    "text-classification": _text_scores,
    "image-classification": _image_scores,
}


def _of_texts(
    task: str, answer: Callable[[_Arrays], _Arrays], hf: Path, ask: Ask, tokenizer: Any
) -> tuple[PipelineProduct, _Arrays]:
    absent = [name for name in ("tokenizer.json", "tokenizer_config.json") if not (hf / name).is_file()]
    if tokenizer is None or ask.length is None or absent:
        raise ExportUnsupported(f"it brings no {' and no '.join(absent)}" if absent else "it has no tokenizer")

    def read(texts: list[str]) -> _Arrays:
        told = tokenizer(texts, padding="max_length", truncation=True, max_length=ask.length, return_tensors="pt")
        return {name: told[name] for name in ("input_ids", "attention_mask")}

    texts = texts_of(ask.batch_size)
    product = PipelineProduct(task, answer(read(texts)), texts=tuple(texts), length=ask.length)
    return product, answer(read(texts_of(ask.batch_size, first=ask.batch_size)))


def _run(module: Any, inputs: _Arrays) -> Any:
    with torch.no_grad():
        return module(**inputs)


def _scores(module: Any, inputs: _Arrays) -> _Arrays:
    return {"scores": torch.softmax(_run(module, inputs).logits, dim=-1).numpy()}


def _check_labels(config: Any) -> None:
    """An answer names its labels; where two are called the same, scores cannot be put in order."""
    labels = list(config.id2label.values())
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ExportUnsupported("its labels are not two or more different names")
    if config.problem_type not in (None, "single_label_classification"):
        raise ExportUnsupported(f"it is a {config.problem_type}, whose scores are no softmax")
