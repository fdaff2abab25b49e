"""A real browser for the page's own tests, and an Artifact made in the test."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.page.artifacts import make_artifact
from tests.page.conductor import Spoken, converse

_ARGS = (
    "--no-sandbox --enable-unsafe-webgpu --use-webgpu-adapter=swiftshader --enable-webgpu-developer-features "
    "--enable-features=WebMachineLearningNeuralNetwork --disable-background-networking --disable-component-update "
    "--disable-sync --no-first-run --disable-quic"
).split()


async def launch_chromium(playwright: Any) -> Any:
    """The Chromium of HARNESS_CHROMIUM, with the libraries that are unpacked beside it."""
    executable = Path(os.environ.get("HARNESS_CHROMIUM", "/tmp/lab/chr/chromium"))
    beside = {
        "LD_LIBRARY_PATH": str(executable.parent / "al2023" / "lib"),
        "FONTCONFIG_PATH": str(executable.parent / "fonts" / "fonts"),
    }
    return await playwright.chromium.launch(executable_path=executable, args=_ARGS, env={**os.environ, **beside})


@pytest.fixture(scope="session")
def artifact_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact")
    make_artifact(folder)
    return folder


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., Spoken]:
    """Open the page for one message and give back everything it said."""

    def _talk(**asked: Any) -> Spoken:
        return converse(launch_chromium, outputs_dir=tmp_path / "outputs", **asked)

    return _talk
