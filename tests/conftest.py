"""What many tests share: real Artifacts, exported once per session."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.nouns import Artifact
from harness.export.cache import ArtifactCache
from harness.export.process import inspect_model
from harness.export.request import request_for
from harness.plan.cases import make_plan
from harness.plan.selection import make_selection


@pytest.fixture(autouse=True)
def environment_of_the_test() -> Iterator[None]:
    """A backend may choose a driver for its own process by the environment; in the tests that process is shared."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of Artifacts that lasts for the session."""
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="session")
def tiny_bert(artifacts: Path) -> tuple[Artifact, Path]:
    """A tiny BERT, really exported, and its folder."""
    flags = {"model": "bert", "scale": "tiny", "hardware": "cpu", "length": 16}
    case = make_plan(make_selection(None, flags), inspect_model).cases[0].case
    cache = ArtifactCache(artifacts)
    artifact = asyncio.run(cache.make(request_for(case), lambda text: None))
    return artifact, artifacts / artifact.digest
