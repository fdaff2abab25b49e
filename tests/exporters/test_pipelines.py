"""What an Artifact says a pipeline must answer, against transformers' own pipelines or numpy by hand."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch

from exporters.pipelines import answer_of
from exporters.zoo.inputs import Ask
from tests.exporters.asking import Exported, architecture_request, ask, must_export, pretrained_request

Exports = Callable[[str], Exported]


def answer(made: Exported, name: str) -> Any:
    assert made.artifact.pipeline is not None, made.artifact.notes
    tensor = next(each for each in made.artifact.pipeline.expected if each.name == name)
    return np.frombuffer((made.folder / tensor.file).read_bytes(), tensor.dtype).reshape(tensor.shape)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    request = architecture_request("bert", task="text-classification", batch_size=2)
    return must_export(request, tmp_path_factory.mktemp("classifier"))


@pytest.mark.filterwarnings("ignore")
def test_embeddings_are_transformers_own_pooled_by_hand(minilm: Exported) -> None:
    from transformers import pipeline

    call = minilm.artifact.pipeline
    assert call is not None and call.task == "feature-extraction" and len(call.texts) == 2
    extract = pipeline("feature-extraction", model=str(minilm.folder / "hf"), dtype=torch.float32)
    for text, got in zip(call.texts, answer(minilm, "embeddings"), strict=True):
        # Without padding, every token counts: the mean with the mask is the plain mean.
        mean = np.mean(np.asarray(extract(text))[0], axis=0)
        np.testing.assert_allclose(got, mean / np.linalg.norm(mean), atol=1e-5)
    assert np.allclose(np.linalg.norm(answer(minilm, "embeddings"), axis=1), 1)


def test_pretrained_weights_read_the_texts_that_the_inputs_were_read_from(minilm: Exported) -> None:
    call = minilm.artifact.pipeline
    assert call is not None and call.length == 32
    mask = minilm.arrays("inputs")["attention_mask"][..., None]
    pooled = (minilm.arrays("expected")["last_hidden_state"] * mask).sum(1) / mask.sum(1)
    norms = np.linalg.norm(pooled, axis=1, keepdims=True)
    np.testing.assert_allclose(answer(minilm, "embeddings"), pooled / norms, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_scores_are_transformers_own_in_the_order_of_the_labels(classifier: Exported) -> None:
    from transformers import pipeline

    call = classifier.artifact.pipeline
    assert call is not None
    classify = pipeline("text-classification", model=str(classifier.folder / "hf"), dtype=torch.float32)
    told = classify(list(call.texts), top_k=None, padding="max_length", truncation=True, max_length=call.length)
    labels = json.loads((classifier.folder / "hf/config.json").read_text())["id2label"]
    for row, named in zip(answer(classifier, "scores"), told, strict=True):
        scores = {each["label"]: each["score"] for each in named}
        np.testing.assert_allclose(row, [scores[labels[str(place)]] for place in range(len(labels))], atol=1e-6)


def test_a_made_tokenizer_reads_the_zoos_words_and_the_inputs_are_read_by_it(classifier: Exported) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(classifier.folder / "hf/tokenizer.json"))
    ids = classifier.arrays("inputs")["input_ids"]
    assert tokenizer.decode(ids[0].tolist()) == "the ferry left the harbour before the fog had lifted."
    assert tokenizer.encode("Qzx, 7").tokens == ["[CLS]", "q", "##z", "##x", ",", "7", "[SEP]"]
    assert tokenizer.get_vocab_size() <= json.loads((classifier.folder / "hf/config.json").read_text())["vocab_size"]


def test_tasks_that_had_seeded_ids_keep_them(exported: Exports) -> None:
    """Ids of before there was a tokenizer: what was measured with them stays comparable."""
    made = exported("bert")
    assert made.artifact.pipeline is not None
    special = {0}  # BERT's config names its padding only
    allowed = np.array([each for each in range(1000) if each not in special])
    drawn = np.random.default_rng([0, crc32(b"tokens")]).choice(allowed, size=(1, 16))
    assert made.arrays("inputs")["input_ids"].tolist() == drawn.tolist()
    assert made.arrays("inputs")["attention_mask"].all()


def test_image_scores_by_hand(exported: Exports) -> None:
    import transformers

    made = exported("vit")
    call = made.artifact.pipeline
    assert call is not None
    told = json.loads((made.folder / "hf/preprocessor_config.json").read_text())
    (image,) = call.images
    pixels = np.fromfile(made.folder / image.file, np.uint8).reshape(image.shape)
    assert image.shape == (told["size"]["height"], told["size"]["width"], 3) and pixels.std() > 20
    values = (pixels / 255 - np.array(told["image_mean"])) / np.array(told["image_std"])
    module = transformers.ViTForImageClassification.from_pretrained(str(made.folder / "hf")).eval()
    with torch.no_grad():
        logits = module(pixel_values=torch.tensor(values.transpose(2, 0, 1)[None], dtype=torch.float32)).logits.numpy()
    raised = np.exp(logits - logits.max())
    np.testing.assert_allclose(answer(made, "scores"), raised / raised.sum(), rtol=1e-5)


@pytest.mark.parametrize("name", ["gpt2", *(pytest.param(name, marks=pytest.mark.long) for name in ("t5", "whisper"))])
def test_what_has_no_pipeline_has_none(name: str, exported: Exports) -> None:
    assert exported(name).artifact.pipeline is None


@pytest.mark.long
def test_a_folder_without_its_tokenizer_says_why_there_is_none(exported: Exports, tmp_path: Path) -> None:
    source, out = tmp_path / "mine", tmp_path / "out"
    shutil.copytree(exported("bert").folder / "hf", source, ignore=shutil.ignore_patterns("tokenizer.json"))
    out.mkdir()
    request = pretrained_request("mine", "feature-extraction", path=str(source))
    artifact = ask(request, out)["result"]["artifact"]
    assert artifact["pipeline"] is None
    assert any(note.startswith("no pipeline: it brings no tokenizer.json") for note in artifact["notes"])


def test_an_answer_that_no_text_changes_is_none(classifier: Exported) -> None:
    """A check that could not fail is no check."""
    import transformers

    hf = classifier.folder / "hf"
    module = transformers.BertForSequenceClassification.from_pretrained(str(hf)).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(hf))
    ask_for = Ask(module.config, 1, 16, 0)
    assert answer_of("text-classification", module, hf, ask_for, tokenizer)[0] is not None
    torch.nn.init.zeros_(module.classifier.weight)
    product, why = answer_of("text-classification", module, hf, ask_for, tokenizer)
    assert product is None and "hardly depends" in str(why)


@pytest.mark.long
def test_labels_with_one_name_cannot_be_put_in_order(exported: Exports, tmp_path: Path) -> None:
    source, out = tmp_path / "mine", tmp_path / "out"
    shutil.copytree(exported("vit").folder / "hf", source)
    out.mkdir()
    config = json.loads((source / "config.json").read_text())
    config["id2label"]["7"] = config["id2label"]["8"]
    config.pop("label2id", None)
    (source / "config.json").write_text(json.dumps(config))
    model = {"path": str(source), "architecture": "vit", "family": "vision"}
    request = {**pretrained_request("mine", "image-classification", **model), "length": None}
    artifact = ask(request, out)["result"]["artifact"]
    assert artifact["pipeline"] is None and "labels" in artifact["notes"][-1]


@pytest.mark.long
def test_a_processor_that_makes_no_sense_costs_the_pipeline_only(exported: Exports, tmp_path: Path) -> None:
    source, out = tmp_path / "mine", tmp_path / "out"
    shutil.copytree(exported("vit").folder / "hf", source)
    out.mkdir()
    told = json.loads((source / "preprocessor_config.json").read_text())
    (source / "preprocessor_config.json").write_text(json.dumps({**told, "image_mean": {"red": "no"}}))
    model = {"path": str(source), "architecture": "vit", "family": "vision"}
    artifact = ask({**pretrained_request("mine", "image-classification", **model), "length": None}, out)["result"][
        "artifact"
    ]
    assert artifact["onnx"] and artifact["pipeline"] is None
    assert artifact["notes"][-1].startswith("no pipeline: TypeError")
