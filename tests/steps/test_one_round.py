"""A clock that jumps while a Round is measured is said, and changes no number."""

from pathlib import Path

import pytest

from tests.test_pipeline import carry_out, well


@pytest.mark.parametrize(("jump_s", "said"), [(-3600.0, "-3600 s"), (86_400.0, "+86400 s"), (0.5, None)])
def test_a_clock_that_jumps_is_said_and_changes_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: float, said: str | None
) -> None:
    untouched = carry_out(tmp_path / "before", well, cases=1, rounds=3)[0].results[0][1]
    readings = iter([(1000.0, 10.0), (1002.0 + jump_s, 12.0), *[(1100.0, 100.0)] * 4])
    monkeypatch.setattr("harness.steps.one_round._clocks", lambda: next(readings))
    result = carry_out(tmp_path / "jumps", well, cases=1, rounds=3)[0].results[0][1]
    assert result.outcome == "ok"
    assert (result.metrics, result.latency_ci95_ms) == (untouched.metrics, untouched.latency_ci95_ms)
    told = [doubt for doubt in result.doubts if "wall clock" in doubt]
    assert [said in doubt for doubt in told if said] == ([True] if said else [])
