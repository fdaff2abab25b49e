"""Exports are slow, so each is made once per test run and shared."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from harness.core.nouns import Artifact

# Before any library reads it: no test may reach for a network.
os.environ["HF_HUB_OFFLINE"] = "1"

from tests.exporters.asking import MINILM, Exported, architecture_request, must_export, needs_minilm, pretrained_request


@pytest.fixture(scope="session")
def export_once(artifacts: Path) -> Callable[[str, dict[str, Any]], Exported]:
    """A name and a request → what was exported, by whichever process of the tests was first."""

    def get(name: str, request: dict[str, Any]) -> Exported:
        folder = artifacts / "exporters" / name
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not (folder / "artifact.json").exists():
                return must_export(request, folder)
        return Exported(Artifact.model_validate_json((folder / "artifact.json").read_bytes()), folder)

    return get


@pytest.fixture(scope="session")
def exported(export_once: Callable[[str, dict[str, Any]], Exported]) -> Callable[[str], Exported]:
    """Architecture name → its tiny export with seed 0."""
    return lambda name: export_once(name, architecture_request(name))


@pytest.fixture(scope="session")
def minilm(export_once: Callable[[str, dict[str, Any]], Exported]) -> Exported:
    """Real weights, from the package that carries them."""
    needs_minilm()
    return export_once("minilm", pretrained_request(MINILM, "feature-extraction"))
