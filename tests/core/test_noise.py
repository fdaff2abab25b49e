"""What disturbed, over all sittings of a Run; and nobody looked is not the same as quiet."""

from typing import Any

import pytest

from harness.core.noise import noise_lines, was_quiet

LOUD = {"policy": "warn", "findings": [{"code": "load", "text": "somebody compiled"}], "end": None}
CALM = {"policy": "warn", "findings": [], "end": {"findings": []}}
LATER = {"policy": "warn", "findings": [], "end": {"findings": [{"code": "swap", "text": "it swapped"}]}}
OFF = {"policy": "off", "findings": None, "end": None}


@pytest.mark.parametrize(
    ("machine", "lines", "quiet"),
    [
        ({}, [], None),
        ({"quiet": CALM}, [], True),
        ({"quiet": OFF}, [], None),
        ({"quiet": LOUD}, ["noisy machine: somebody compiled"], False),
        ({"quiet": LATER}, ["noise during the run: it swapped"], False),
        ({"quiet": CALM, "quiet_before": [LOUD]}, ["noisy machine: somebody compiled"], False),
        ({"quiet": LOUD, "quiet_before": [LOUD]}, ["noisy machine: somebody compiled"], False),
        ({"quiet": CALM, "quiet_before": [OFF]}, [], None),
    ],
)
def test_noise_of_all_sittings(machine: dict[str, Any], lines: list[str], quiet: bool | None) -> None:
    assert noise_lines(machine) == lines
    assert was_quiet(machine) is quiet
