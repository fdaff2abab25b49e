"""A few kills of each kind at real runs; `python -m tests.e2e.kills` does it by the hundred."""

from pathlib import Path

import pytest

from tests.e2e.kills import Campaign


@pytest.mark.long
def test_kills_leave_nothing_and_lose_nothing(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path / "kills", seed=7, hardware="noop,noop_web", longest_s=5.0)
    left = 6
    while left > 0 or campaign.tally.rounds == 0:  # until one was carried to its end
        left -= campaign.sitting(left)
    tally = campaign.tally
    assert tally.faults() == []
    assert sum(tally.kills.values()) == 6 and tally.kills["conductor"] > 0
