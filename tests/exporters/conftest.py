"""Exports are slow, so each is made once per test run and shared."""

import os
from collections.abc import Callable

import pytest

# Before any library reads it: no test may reach for a network.
os.environ["HF_HUB_OFFLINE"] = "1"

from tests.exporters.asking import MINILM, Exported, architecture_request, must_export, needs_minilm, pretrained_request


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Exported]:
    """Architecture name → its tiny export with seed 0."""
    made: dict[str, Exported] = {}

    def get(name: str) -> Exported:
        if name not in made:
            made[name] = must_export(architecture_request(name), tmp_path_factory.mktemp(name))
        return made[name]

    return get


@pytest.fixture(scope="session")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Real weights, from the package that carries them."""
    needs_minilm()
    return must_export(pretrained_request(MINILM, "feature-extraction"), tmp_path_factory.mktemp("minilm"))
