"""A number from a browser that somebody attached never looks like one from a browser that we started."""

from typing import Any

from harness.core.rounds import Round
from harness.measure.attached import doubts_about_attached

ATTACHED = {"driver": "attach", "product": "Safari", "version": "26.1", "secure": True, "this_machines_address": False}


def one(**browser: Any) -> Round:
    fields = {"run_id": "r", "round_id": "1", "case_id": "c", "number": 1, "started_at": "now", "outcome": "ok"}
    return Round.model_validate({**fields, "provenance": {"browser": browser}})


def test_another_devices_number_says_so_and_whose_word_the_version_is() -> None:
    where, kept = doubts_about_attached([one(**ATTACHED)])
    assert where.startswith("measured on another device than the run's machine") and where.endswith("Safari 26.1")
    assert "not a fresh browser" in kept


def test_loopback_is_not_taken_for_this_machine() -> None:
    where = doubts_about_attached([one(**{**ATTACHED, "this_machines_address": True})])[0]
    assert "or on a device whose port is forwarded to here" in where


def test_what_an_insecure_context_lacks_is_said() -> None:
    assert "no WebGPU" in doubts_about_attached([one(**{**ATTACHED, "secure": False})])[2]


def test_a_browser_that_tells_nothing_tells_nothing() -> None:
    silent = {**ATTACHED, "product": None, "version": None}
    assert doubts_about_attached([one(**silent)])[0].endswith("the browser says: nothing")


def test_our_own_browsers_have_no_such_doubt() -> None:
    assert not doubts_about_attached([one(driver="playwright"), one()])
