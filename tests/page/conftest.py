"""A real browser for the page's own tests, and an Artifact made in the test."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import catalog
from harness.core.nouns import Artifact
from harness.execute.embedded import find_embedded
from harness.execute.flags import platform_args
from tests.page.artifacts import make_artifact
from tests.page.conductor import Spoken, converse
from tests.page.precisions import make_in_all_precisions


@pytest.fixture(scope="module")
def chromium() -> Iterator[tuple[asyncio.Runner, Any]]:
    """The Chromium that the harness promises, with the flags that it would give it, and the loop that speaks to it."""
    from playwright.async_api import async_playwright

    executable, environment = find_embedded("@sparticuz/chromium")
    args = platform_args(catalog.browsers()["chromium"], None)
    with asyncio.Runner() as runner:
        playwright = runner.run(async_playwright().start())
        try:
            launched = playwright.chromium.launch(executable_path=executable, args=args, env={**environment})
            yield runner, runner.run(launched)
        finally:
            runner.run(playwright.stop())  # and its browser


@pytest.fixture(scope="session")
def artifact_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact")
    make_artifact(folder)
    return folder


@pytest.fixture(scope="session")
def bert_dir(tiny_bert: tuple[Artifact, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Artifact of a tiny BERT with a graph in each precision."""
    folder = tmp_path_factory.mktemp("precisions")
    make_in_all_precisions(*tiny_bert, folder)
    return folder


@pytest.fixture
def talk(chromium: tuple[asyncio.Runner, Any], tmp_path: Path) -> Callable[..., Spoken]:
    """Open the page for one message and give back everything it said."""
    runner, browser = chromium

    def _talk(**asked: Any) -> Spoken:
        return runner.run(converse(browser, outputs_dir=tmp_path / "outputs", **asked))

    return _talk
