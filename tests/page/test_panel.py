"""The panel in a real browser: what it shows is what was said; what it keeps is bounded."""

import html
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.core.events import Done, Failed, Note
from harness.core.nouns import LoopPolicy
from tests.page.artifacts import case_message
from tests.page.conductor import PAGE_ROOT, Spoken
from tests.page.test_round import sampled_ns

Talk = Callable[..., Spoken]
LONG = LoopPolicy(slice_ns=1_500_000_000, narrow_within=0.0, least_time_ns=10_000_000_000)


def text_of(spoken: Spoken, name: str) -> str:
    """The text of the element with this id."""
    found = re.search(rf'<(\w+)[^>]*id="{name}"[^>]*>(.*?)</\1>', spoken.html, re.S)
    assert found, name
    return html.unescape(re.sub(r"<[^>]+>", " ", found.group(2)))


def is_hidden(spoken: Spoken, name: str) -> bool:
    found = re.search(rf'<\w+[^>]*id="{name}"[^>]*>', spoken.html)
    assert found, name
    return "hidden" in found.group(0)


def test_the_chart_and_its_words_are_of_the_samples_that_were_said(talk: Talk, artifact_dir: Path) -> None:
    options = {"duration_us": "3000"}
    message = case_message(artifact_dir, "noop_web", "noop_web", options=options, policy=LONG)
    spoken = talk(message=message, artifact_dir=artifact_dir)
    assert isinstance(spoken.conversation.last, Done)
    taken = sampled_ns(spoken)
    words = text_of(spoken, "in-words")
    assert f"n = {len(taken)}," in words and spoken.status["n"] == str(len(taken))
    told = re.search(r"median ([\d.]+) ms", words)
    assert told and abs(float(told.group(1)) - np.median(taken) / 1e6) < 0.01
    path = re.search(r'id="points" d="([^"]*)"', spoken.html)
    assert path
    marks = [tuple(map(float, re.findall(r"[\d.]+", mark)[:2])) for mark in path.group(1).split("M")[1:]]
    assert min(150, len(taken)) / 2 <= len(marks) <= 150
    assert all(0 <= x <= 300 and 0 <= y <= 100 for x, y in marks)
    for phase in spoken.of("phase"):
        assert phase.phase in text_of(spoken, "phases")
    assert "duration_us=3000" in text_of(spoken, "case") and message.round_id in text_of(spoken, "case")
    assert "cross-origin isolated, SharedArrayBuffer is there" in text_of(spoken, "place")
    assert is_hidden(spoken, "wrong") and is_hidden(spoken, "pause")


def test_what_went_wrong_is_shown_in_words(talk: Talk, artifact_dir: Path) -> None:
    message = case_message(artifact_dir, "noop_web", "noop_web", options={"fail": "out_of_memory"})
    spoken = talk(message=message, artifact_dir=artifact_dir)
    last = spoken.conversation.last
    assert isinstance(last, Failed)
    assert (spoken.status["outcome"], spoken.status["phase"]) == ("failed", last.code)
    assert text_of(spoken, "wrong-words") == last.reason and not is_hidden(spoken, "wrong")
    assert is_hidden(spoken, "plot"), "there is nothing to be drawn"


def test_what_cannot_be_is_shown_with_its_reason(talk: Talk, artifact_dir: Path) -> None:
    spoken = talk(message=case_message(artifact_dir, "wasm", outputs="device"), artifact_dir=artifact_dir)
    assert spoken.status["outcome"] == "unsupported"
    assert "wasm computes on the host" in text_of(spoken, "wrong-words") and not is_hidden(spoken, "wrong")


def test_a_software_adapter_is_called_software(talk: Talk, artifact_dir: Path) -> None:
    spoken = talk(message=case_message(artifact_dir, "webgpu"), artifact_dir=artifact_dir)
    assert "SOFTWARE, no GPU: google, swiftshader" in text_of(spoken, "place")
    others = text_of(spoken, "other-clocks")
    assert "submit" in others and "slope" in others and "clock await" in text_of(spoken, "in-words")


def test_a_paused_page_takes_no_sample_until_a_person_continues(talk: Talk, artifact_dir: Path) -> None:
    script = """
        addEventListener('load', () => setInterval(() => {
          const button = document.getElementById('continue');
          if (button.offsetParent !== null && !globalThis.pressed) {
            globalThis.pressed = true;
            setTimeout(() => button.click(), 1200);
          }
        }, 50));"""
    message = case_message(artifact_dir, "noop_web", "noop_web", pause=True)
    spoken = talk(message=message, artifact_dir=artifact_dir, init_script=script)
    assert isinstance(spoken.conversation.last, Done)
    pauses = [(at, event) for at, event in enumerate(spoken.events) if isinstance(event, Note) and event.data]
    (begins, _), (ends, _) = [(at, event) for at, event in pauses if "paused" in event.data]
    assert {event.event for event in spoken.events[begins + 1 : ends]} == {"alive"}
    phases = [(at, event.phase) for at, event in enumerate(spoken.events) if event.event == "phase"]
    assert [phase for at, phase in phases if at < begins] == ["runtime", "prepare", "load"]
    assert [phase for at, phase in phases if at > ends] == ["first", "warm", "sample"]


def test_however_many_samples_the_panel_keeps_a_fixed_number_evenly_spread() -> None:
    script = f"""
        import {{ Series }} from '{(PAGE_ROOT / "panel" / "series.js").as_uri()}';
        const series = new Series('sample', 'any');
        for (let n = 0; n < 7777; n += 7) series.add(Array.from({{ length: 7 }}, (_, i) => 2 * (n + i)), 2);
        console.log(JSON.stringify([series.n, series.every, Array.from(series.latest), series.median()]));"""
    said = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True
    )  # fmt: skip
    n, every, kept, median = json.loads(said.stdout)
    assert n == 7777 and len(kept) <= 1024 < 2 * len(kept)
    assert kept == list(range(0, 7777, every)), "durations are told per run"
    assert median == np.median(kept)
