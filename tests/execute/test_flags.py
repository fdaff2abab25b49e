"""Which flags bring a platform here: by what the machine has, then by trying, and never for longer than a limit."""

import asyncio
from pathlib import Path

import pytest

from harness import catalog
from harness.core.events import Hello
from harness.core.plugins import Browser, FlagSet
from harness.execute.flags import candidates, has_gpu, is_real, not_tried, platform_args, with_set
from tests.execute.page_rounds import make_executor, processes

CHROMIUM = catalog.browsers()["chromium"]


@pytest.mark.parametrize(
    ("system", "gpu", "names"),
    [
        ("linux", True, ["vulkan", "swiftshader"]),
        ("linux", False, ["swiftshader"]),
        ("darwin", True, ["system", "swiftshader"]),
        ("win32", True, ["system", "swiftshader"]),
    ],
)
def test_what_a_machine_may_need(monkeypatch: pytest.MonkeyPatch, system: str, gpu: bool, names: list[str]) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("harness.execute.flags.has_gpu", lambda: gpu)
    assert [each.name for each in candidates(CHROMIUM, "webgpu")] == names
    assert [each.name for each in candidates(CHROMIUM, "webnn")] == ["webnn"]
    assert candidates(CHROMIUM, "wasm") == ()


@pytest.mark.parametrize(
    ("node", "found"), [("dri/renderD128", True), ("nvidia0", True), ("dxg", True), ("sda", False)]
)
def test_a_graphics_device_is_a_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, node: str, found: int) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    (tmp_path / node).parent.mkdir(exist_ok=True)
    (tmp_path / node).touch()
    assert has_gpu(tmp_path) == bool(found)


def test_lists_of_features_become_one_flag() -> None:
    """Chromium believes only the last of two."""
    features = FlagSet(name="x", args=("--enable-features=Vulkan", "--enable-unsafe-webgpu"))
    args = platform_args(with_set(CHROMIUM, "webgpu", features), None)
    assert "--enable-features=Vulkan,WebMachineLearningNeuralNetwork" in args
    assert len([arg for arg in args if arg.startswith("--enable-features")]) == 1


@pytest.mark.parametrize(
    ("said", "why_not"),
    [
        ({"available": True, "software": False}, None),
        ({"available": True, "software": True}, "only a software adapter"),
        ({"available": False, "reason": "gave null"}, "gave null"),
        (None, "the page said nothing of webgpu"),
    ],
)
def test_a_software_adapter_is_not_what_was_looked_for(said: object, why_not: str | None) -> None:
    assert is_real("webgpu", {"webgpu": said}) == why_not


def greeted(browser: Browser, **limits: float) -> Hello:
    async def once() -> object:
        executor = make_executor(**limits)
        try:
            return await executor.greet(browser)
        finally:
            await executor.close()

    word = asyncio.run(once())
    assert isinstance(word, Hello), word
    return word


@pytest.mark.long
def test_a_set_that_hangs_or_finds_no_device_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The set for a real GPU, tried on a machine without one: it must cost no more than the limit."""
    if has_gpu():
        pytest.skip("here the set for a real GPU may be the right one")
    monkeypatch.setattr("harness.execute.flags.has_gpu", lambda: True)
    chosen = greeted(CHROMIUM, flags_s=5).provenance["browser"]["flag_sets"]
    assert chosen["webgpu"]["name"] == "swiftshader" and chosen["webnn"]["name"] == "webnn"
    assert chosen["webgpu"]["not"]["vulkan"] and chosen["webgpu"]["not"]["system"].startswith("not for ")
    assert not processes()


def test_what_is_not_tried_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.execute.flags.has_gpu", lambda: False)
    assert not_tried(CHROMIUM, "webgpu")["vulkan"] == "there is no graphics device here"
