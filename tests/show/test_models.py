"""`harness models`: what words find, in which order, and what is said where they find nothing."""

import json
import subprocess
import sys
from typing import Any

import pytest

from harness import catalog
from harness.show.models import find, nearest, size


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", "models", *arguments], capture_output=True, text=True, check=False
    )


def names(*words: str, **narrowed: Any) -> list[str]:
    return [entry.name for entry in find(words, **narrowed)]


def test_the_name_itself_comes_first_then_what_begins_with_it() -> None:
    found = names("bert")
    assert found[0] == "bert" and found[1].startswith("bert") and "roberta" in found


@pytest.mark.parametrize(
    ("words", "there"),
    [
        (("DETR",), "detr"), (("object-detection",), "yolos"), (("vision_language",), "clip"),
        (("speech-text", "moon"), "moonshine"), (("key-models",), "xclip"), (("layout",), "layoutlm"),
    ],
)  # fmt: skip
def test_words_are_looked_for_in_everything(words: tuple[str, ...], there: str) -> None:
    assert there in names(*words)


def test_all_words_must_be_found_and_what_narrows_narrows() -> None:
    assert set(names("vision", "detection")) < set(names("vision"))
    assert names("bert", family=["vision"]) == []
    assert "bert" in names(task="text-classification") and "vit" not in names(task="text-classification")
    assert set(names(of_set=["key-models"], family=["audio"])) == {"wav2vec2", "clap"}


def test_what_is_misspelt_has_a_near_match() -> None:
    assert not names("wisper") and "whisper" in nearest(["wisper"])


@pytest.mark.parametrize(
    ("parameters", "text"),
    [(None, "–"), (86_567_656, "86.6 M"), (109_482_240, "109 M"), (6_738_415_616, "6.74 B"), (12_000, "0.01 M")],
)
def test_sizes_are_short(parameters: int | None, text: str) -> None:
    assert size(parameters) == text


def test_no_words_show_the_families_and_the_sets_not_hundreds_of_lines() -> None:
    shown = harness().stdout
    assert len(shown.splitlines()) < 50
    assert {entry.family for entry in catalog.architectures().values()} <= set(shown.split())
    assert "key-models" in shown and "whisper" in shown


def test_all_lists_every_one() -> None:
    shown = harness("--all").stdout
    assert len(shown.splitlines()) == len(catalog.architectures()) + 1


def test_json_tells_everything() -> None:
    told = json.loads(harness("whisper", "--json").stdout)
    entry = told["architectures"][0]
    assert (entry["name"], entry["family"], entry["sets"][0]) == ("whisper", "speech_text", "key-models")
    assert entry["tasks"]["audio-classification"] == "WhisperForAudioClassification"
    assert sum(told["families"].values()) == len(catalog.architectures())
    assert len(told["sets"]["key-models"]["models"]) == 13


def test_nothing_found_says_what_is_near_and_unknown_names_are_mistakes() -> None:
    assert "did you mean whisper" in harness("wisper").stderr
    assert harness("--family", "visoin").returncode == 2 and "vision" in harness("--family", "visoin").stderr
    assert harness("--task", "fil-mask").returncode == 2 and "fill-mask" in harness("--task", "fil-mask").stderr


def test_searching_imports_no_ml_library() -> None:
    code = "import sys; from harness.show.models import find; find(['bert'])\n"
    code += "assert not {'torch', 'transformers', 'numpy', 'duckdb'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
