"""The catalogue of architectures: complete, not stale, and filed where a reader would look for each."""

import json
from functools import cache
from typing import Any

import pytest

from exporters.worker import CATALOGUE, tasks_on_disk
from harness import catalog
from harness.core.nouns import Task

# From papers and model cards, not from the catalogue.
FAMILIES = {
    "text_encoder": "bert roberta albert distilbert electra deberta-v2 modernbert xlm-roberta mpnet canine esm "
    "clip_text_model",
    "text_decoder": "gpt2 llama qwen2 qwen3 mistral mixtral gemma2 phi3 falcon bloom opt mamba rwkv gpt_oss "
    "deepseek_v3",
    "encoder_decoder": "t5 bart pegasus marian mbart m2m_100 led prophetnet",
    "vision": "vit detr resnet convnext swin segformer dpt depth_anything sam mask2former dinov2 yolos vit_mae "
    "superpoint imagegpt clip_vision_model siglip_vision_model",
    "audio": "wav2vec2 hubert wavlm clap audio-spectrogram-transformer encodec speecht5 vits bark musicgen",
    "speech_text": "whisper speech_to_text moonshine seamless_m4t granite_speech qwen2_audio voxtral",
    "video": "timesformer vivit videomae vjepa2 xclip",
    "vision_language": "clip siglip blip llava llava_next qwen2_vl layoutlm layoutlmv3 vilt paligemma owlvit "
    "grounding-dino",
    "multimodal": "qwen2_5_omni gemma3n phi4_multimodal time_series_transformer patchtst decision_transformer "
    "perceiver",
}
TASKS = {
    "bert": ("feature-extraction", "BertModel"),
    "vit": ("image-classification", "ViTForImageClassification"),
    "gpt2": ("text-generation", "GPT2LMHeadModel"),
    "t5": ("text2text-generation", "T5ForConditionalGeneration"),
    "whisper": ("automatic-speech-recognition", "WhisperForConditionalGeneration"),
    "detr": ("object-detection", "DetrForObjectDetection"),
    "llama": ("text-generation", "LlamaForCausalLM"),
    "qwen2": ("text-generation", "Qwen2ForCausalLM"),
    "wav2vec2": ("ctc-speech-recognition", "Wav2Vec2ForCTC"),
    "clap": ("zero-shot-audio-classification", "ClapModel"),
    "clip": ("zero-shot-image-classification", "CLIPModel"),
    "llava": ("image-text-to-text", "LlavaForConditionalGeneration"),
    "llava_next": ("image-text-to-text", "LlavaNextForConditionalGeneration"),
    "xclip": ("zero-shot-video-classification", "XCLIPModel"),
    "segformer": ("image-segmentation", "SegformerForSemanticSegmentation"),
    "timesformer": ("video-classification", "TimesformerForVideoClassification"),
    "sam": ("mask-generation", "SamModel"),
    "layoutlmv3": ("document-question-answering", "LayoutLMv3ForQuestionAnswering"),
}
# Millions of parameters as published, of the sizes that the default configs have; ResNet 50's without its 2 of a head
# for a thousand labels.
PUBLISHED = {"bert": 110, "gpt2": 124, "t5": 60, "whisper": 39, "vit": 86, "resnet": 23.5, "clip": 151, "wav2vec2": 95}
REMAKE = "run `python -m exporters.worker describe --write`"


@cache
def written() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(CATALOGUE.read_text())
    return read


@cache
def fresh() -> dict[str, Any]:
    from exporters.quiet import quiet
    from exporters.zoo.registry import classified

    with quiet():
        return classified(Task.model_validate(task) for task in tasks_on_disk())


def test_no_architecture_of_the_installed_transformers_is_missing_or_gone() -> None:
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    from exporters.zoo import diffusion
    from exporters.zoo.registry import registered

    have = written()["architectures"].keys() - set(diffusion.names())
    new, gone = sorted(set(registered()) - have), sorted(have - set(registered()))
    assert not new, f"transformers has architectures that the catalogue does not know: {', '.join(new)}; {REMAKE}"
    assert not gone, f"the catalogue has architectures that transformers does not know: {', '.join(gone)}; {REMAKE}"
    assert MODEL_MAPPING_NAMES.keys() <= have


@pytest.mark.long
def test_the_catalogue_is_not_stale() -> None:
    """All but the parameters, which take minutes to count."""
    now = fresh()
    stale = []
    for name, entry in written()["architectures"].items():
        told = now["architectures"].get(name, {})
        if {**entry, "parameters": None, "reason": None} != {**told, "parameters": None, "reason": None}:
            stale.append(name)
    assert not stale, f"{', '.join(stale)}: {REMAKE}"
    assert written()["tasks"] == now["tasks"], REMAKE
    assert written()["transformers"] == now["transformers"], REMAKE


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["bert", "resnet", "clip", "mixtral", "patchtst", "wav2vec2"])
def test_parameters_are_those_of_the_installed_transformers(name: str) -> None:
    from exporters.quiet import quiet
    from exporters.zoo.counting import count

    entry = written()["architectures"][name]
    with quiet():
        assert count(name, entry["built_by"]) == entry["parameters"], REMAKE


@pytest.mark.parametrize(("family", "names"), FAMILIES.items())
def test_an_architecture_is_filed_where_a_reader_looks(family: str, names: str) -> None:
    known = catalog.architectures()
    assert {name: known[name].family for name in names.split()} == dict.fromkeys(names.split(), family)


@pytest.mark.parametrize(("name", "expected"), TASKS.items())
def test_the_default_task_is_what_users_run(name: str, expected: tuple[str, str]) -> None:
    entry = catalog.architectures()[name]
    assert (entry.task, entry.built_by) == expected


@pytest.mark.parametrize(("name", "millions"), PUBLISHED.items())
def test_sizes_are_the_published_ones(name: str, millions: float) -> None:
    assert catalog.architectures()[name].parameters == pytest.approx(millions * 1e6, rel=0.04)


def test_what_could_not_be_counted_says_why() -> None:
    silent = [name for name, each in catalog.architectures().items() if each.parameters is None and not each.reason]
    assert not silent


def test_a_text_task_is_only_offered_to_a_class_that_takes_text() -> None:
    fits = catalog.fitting_tasks()
    assert "text-classification" in fits["bert"] and "text-generation" in fits["bert"]
    assert "text-classification" not in fits["gemma3"], "its class takes pixels"
    assert "feature-extraction" not in fits["clip"] and "feature-extraction" not in fits["vit"]
    assert "automatic-speech-recognition" not in fits["moonshine"], "it takes waves, not mel spectra"


def test_every_task_is_offered_to_somebody() -> None:
    offered = {task for fits in catalog.fitting_tasks().values() for task in fits}
    assert catalog.tasks().keys() - offered == {"graph"}


def test_counting_is_bounded_and_says_what_stopped_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from exporters.zoo import counting

    monkeypatch.setattr(counting, "LIMIT_SECONDS", 0)
    said = counting.count_all({"bert": "BertModel"})["bert"]
    assert said["parameters"] is None and "more than 0 s" in said["reason"]


def test_what_cannot_be_built_says_why_in_the_words_of_the_library() -> None:
    from exporters.zoo import counting

    said = counting.count_all({"bert": "BertModel", "vit": "NoSuchModel"})
    assert said["bert"] == {"parameters": 109_482_240, "reason": None}
    assert said["vit"]["parameters"] is None and "no attribute NoSuchModel" in said["vit"]["reason"]
