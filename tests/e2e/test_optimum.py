"""The exporter with an environment of its own: made here where it is not there yet (a minute or two, 1.3 GB)."""

from pathlib import Path

import pytest

from harness.core.nouns import ArtifactRequest
from harness.export.cache import ArtifactCache
from tests.exporters.asking import architecture_request


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_optimum_makes_a_graph_that_agrees_with_our_module(tmp_path: Path) -> None:
    asked = architecture_request("bert")
    request = ArtifactRequest.model_validate({**asked, "exporter": "optimum"})
    artifact = await ArtifactCache(tmp_path).make(request, lambda _: None)
    assert artifact.exporter == "optimum" and not artifact.lacks
    # The module is of the main environment's release, the graph of the newest that optimum accepts.
    assert artifact.versions["transformers"].startswith("5.")
    assert artifact.versions["optimum:transformers"].startswith("4.57.")
    assert [tensor.name for tensor in artifact.expected] == ["last_hidden_state"]
    assert any("agrees with the module" in note for note in artifact.notes)
