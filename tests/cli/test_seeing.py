"""What lets a person look at a Round: mistakes are told before anything is started, and by hand one Round is enough."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli import harness
from harness.cli.seeing import once, refuse_to_show_nothing, take_seeing
from harness.core.errors import UserMistake
from harness.core.nouns import Plan, PlannedCase, Policy
from harness.execute.seeing import NOBODY, Seeing
from tests.making import make_case

NOTHING: dict[str, Any] = {"headed": False, "pause": False, "keep_open": False, "trace": None}


@pytest.mark.parametrize("verb", ["run", "coverage"])
@pytest.mark.parametrize(
    ("flags", "code", "hint"),
    [
        (["--pause"], "needs_headed", "--headed"),
        (["--keep-open"], "needs_headed", "--headed"),
        (["--headed"], "no_display", "xvfb-run"),
        (["--trace", "no/such/folder/t.zip"], "bad_trace", "make it"),
    ],
)
def test_a_mistake_is_told_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, verb: str, flags: list[str], code: str, hint: str
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    said = CliRunner().invoke(harness, [verb, "--model", "no-such-model", *flags])
    assert isinstance(said.exception, UserMistake), "not that of the model, which would come later"
    assert said.exception.code == code and hint in (said.exception.hint or "")


def test_a_folder_that_cannot_be_written_to_holds_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(UserMistake, match="nothing can be written"):
        take_seeing({**NOTHING, "trace": tmp_path / "t.zip"})


def test_what_was_typed_becomes_what_is_seen_and_no_part_of_the_selection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.chdir(tmp_path)
    options: dict[str, Any] = {"headed": True, "pause": True, "keep_open": False, "trace": Path("t.zip"), "model": "m"}
    seeing = take_seeing(options)
    assert options == {"model": "m"}
    assert seeing.trace == tmp_path / "t.zip"
    assert seeing.told() == {"headed": True, "paused": True, "traced": True}


def test_who_has_to_be_there_does_one_round_unless_more_were_asked_for() -> None:
    for seeing in (Seeing(headed=True, pause=True), Seeing(headed=True, keep_open=True)):
        assert once(seeing, {"seed": 1}) == {"rounds": 1, "seed": 1}
        assert once(seeing, {"rounds": 5}) == {"rounds": 5}
    assert once(Seeing(headed=True), {}) == {}


def test_where_nothing_runs_in_a_browser_there_is_nothing_to_be_seen(tmp_path: Path) -> None:
    native, page = (PlannedCase(case=case) for case in (make_case(), make_case(browser="chromium")))
    only_native = Plan(cases=(native,), policy=Policy())
    for seeing in (Seeing(headed=True), Seeing(trace=tmp_path / "t")):
        with pytest.raises(UserMistake, match="nothing to be seen"):
            refuse_to_show_nothing(seeing, only_native)
        refuse_to_show_nothing(seeing, Plan(cases=(native, page), policy=Policy()))
    refuse_to_show_nothing(NOBODY, only_native)
