"""What many tests share: real Artifacts, exported once per run of the tests, whichever process needs them first."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from harness.core.nouns import Artifact
from harness.export.cache import ArtifactCache
from harness.export.process import inspect_model
from harness.export.request import digest_of_request, request_for
from harness.plan.cases import make_plan
from harness.plan.selection import make_selection

ARTIFACTS = "HARNESS_TESTS_ARTIFACTS"  # set by `python -m tests`: a folder
pytest_plugins = ("tests.durations", "pytester")


def pytest_configure() -> None:
    """Whoever starts the tests in the background of a shell has SIGINT ignored, and so would every program that they
    start and end by it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def environment_of_the_test() -> Iterator[None]:
    """A backend may choose a driver for its own process by the environment; in the tests that process is shared."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of Artifacts that all processes of `python -m tests` share, or that lasts for this session alone."""
    given = os.environ.get(ARTIFACTS)
    return Path(given) if given else tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="session")
def shared_artifact(artifacts: Path) -> Callable[[Mapping[str, Any]], tuple[Artifact, Path]]:
    """Flags of a selection → the Artifact of its first Case, exported once, and its folder; nobody changes it."""

    def get(flags: Mapping[str, Any]) -> tuple[Artifact, Path]:
        case = make_plan(make_selection(None, dict(flags)), inspect_model).cases[0].case
        request, cache = request_for(case), ArtifactCache(artifacts)
        with FileLock(artifacts / f"{digest_of_request(request)}.lock"):
            artifact = cache.find(request) or asyncio.run(cache.make(request, lambda text: None))
        return artifact, artifacts / artifact.digest

    return get


@pytest.fixture(scope="session")
def tiny_bert(shared_artifact: Callable[[Mapping[str, Any]], tuple[Artifact, Path]]) -> tuple[Artifact, Path]:
    """A tiny BERT and its folder."""
    return shared_artifact({"model": "bert", "scale": "tiny", "hardware": "cpu", "length": 16})


@pytest.fixture(scope="session")
def with_tiny_bert(tiny_bert: tuple[Artifact, Path]) -> Callable[[Path], Path]:
    """Lays a copy of that Artifact where commands typed in a folder look for it: one export serves many commands."""

    def lay(folder: Path) -> Path:
        shutil.copytree(tiny_bert[1], folder / "results" / "artifacts" / tiny_bert[1].name)
        return folder

    return lay
