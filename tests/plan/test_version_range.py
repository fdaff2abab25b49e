"""A range that is typed becomes all published versions between its ends, or a mistake with the next step."""

from collections.abc import Sequence

import pytest

from harness.core.errors import UserMistake
from harness.plan.selection import make_selection
from harness.plan.version_range import VersionRange, take_range
from tests.making import make_case

# As a registry gives them: neither in order, nor without previews.
PUBLISHED = {
    "@sparticuz/chromium": ("143.0.0", "143.0.4", "147.0.0", "147.0.2", "148.0.0", "153.0.0", "99.0.0"),
    "onnxruntime-web": ("1.10.0", "1.9.0", "1.29.0", "1.30.0-dev.10", "1.30.0-dev.9", "1.30.0", "1.31.0-dev.7"),
}


def published(package: str) -> Sequence[str]:
    return PUBLISHED[package]


def taken(**flags: object) -> VersionRange:
    asked = {"model": ("bert",), "hardware": ("wasm",), **flags}
    selection, found = take_range(make_selection(None, asked), published)
    named = selection.browser if found.of == "browser" else selection.runtime
    assert named == tuple(f"{found.name}@{version}" for version in found.versions)
    return found


@pytest.mark.parametrize(
    ("asked", "versions"),
    [
        ("143.0.4..148.0.0", ["143.0.4", "147.0.0", "147.0.2", "148.0.0"]),
        ("143..147", ["143.0.0", "143.0.4", "147.0.0", "147.0.2"]),
        ("99..143.0.0", ["99.0.0", "143.0.0"]),
    ],
)
def test_an_end_is_included_the_oldest_below_and_the_newest_above(asked: str, versions: list[str]) -> None:
    assert list(taken(browser=f"chromium@{asked}").versions) == versions


@pytest.mark.parametrize(
    ("asked", "versions"),
    [
        ("1.9..1.30", ["1.9.0", "1.10.0", "1.29.0", "1.30.0"]),
        ("1.29.0..1.31.0-dev.7", ["1.29.0", "1.30.0-dev.9", "1.30.0-dev.10", "1.30.0", "1.31.0-dev.7"]),
    ],
)
def test_previews_are_left_out_unless_an_end_is_one(asked: str, versions: list[str]) -> None:
    assert list(taken(runtime=f"onnxruntime-web@{asked}").versions) == versions


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ({}, "not_one_range"),
        ({"browser": "chromium@147"}, "not_one_range"),
        ({"browser": "chromium@143..148", "runtime": "onnxruntime-web@1.29..1.30"}, "not_one_range"),
        ({"browser": ("chromium@143..148", "chromium")}, "not_one_range"),
        ({"browser": "chromium@148..143"}, "no_range"),
        ({"browser": "chromium@148..148"}, "no_range"),
        ({"browser": "chromium@143..150"}, "unknown_version"),
        ({"browser": "chromium@..148"}, "unknown_version"),
        ({"browser": "firefox@143..150"}, "no_versions"),
        ({"browser": "chromum@143..148"}, "unknown_browser"),
        ({"browser": "chromium@../mine/chrome"}, "not_one_range"),
        ({"runtime": "onnxruntime-wub@1.29..1.30"}, "unknown_runtime"),
    ],
)
def test_whatever_is_not_one_range_is_a_mistake(flags: dict[str, object], code: str) -> None:
    with pytest.raises(UserMistake) as mistake:
        taken(**flags)
    assert mistake.value.code == code and mistake.value.hint


def test_without_a_registry_there_is_no_range() -> None:
    selection = make_selection(None, {"model": ("bert",), "browser": ("chromium@143..148",)})
    with pytest.raises(UserMistake) as mistake:
        take_range(selection, lambda package: None)
    assert mistake.value.code == "no_registry"


def test_a_case_has_the_version_that_it_asks_for() -> None:
    browsers, runtimes = taken(browser="chromium@143..148"), taken(runtime="onnxruntime-web@1.29..1.30")
    case = make_case(platform="wasm", browser="chromium", browser_version="147.0.2", runtime="onnxruntime-web@1.30.0")
    assert (browsers.of_case(case), runtimes.of_case(case)) == ("147.0.2", "1.30.0")
    assert browsers.of_case(make_case()) is None and runtimes.of_case(make_case()) is None
