"""A version that is typed becomes an exact one, or a mistake with the nearest that is published."""

import sys
from collections.abc import Sequence

import pytest

from harness.core.errors import UserMistake
from harness.core.nouns import Plan
from harness.plan.cases import make_plan
from harness.plan.selection import make_selection
from tests.plan.test_plan import lookup

PUBLISHED = {
    "@sparticuz/chromium": ("143.0.4", "147.0.0", "147.0.2", "148.0.0", "153.0.0"),
    "onnxruntime-web": ("1.29.0", "1.30.0-dev.1", "1.30.0", "1.31.0-dev.7"),
}


def published(package: str) -> Sequence[str]:
    return PUBLISHED[package]


def plan(**flags: object) -> Plan:
    asked = {"model": ("bert",), "hardware": ("wasm",), **flags}
    return make_plan(make_selection(None, asked), lookup, published)


def browsers_of(found: Plan) -> list[str | None]:
    return [point.case.browser_version for point in found.cases]


def test_a_beginning_is_the_newest_that_begins_so_and_no_preview() -> None:
    assert browsers_of(plan(browser=("chromium@147", "chromium@143.0.4", "chromium"))) == ["147.0.2", "143.0.4", None]
    found = plan(runtime=("onnxruntime-web@1.30", "onnxruntime-web@1.29.0"))
    assert [point.case.runtime for point in found.cases] == ["onnxruntime-web@1.30.0", "onnxruntime-web@1.29.0"]
    assert plan(runtime="onnxruntime-web@1.31.0-dev.7").cases[0].case.runtime == "onnxruntime-web@1.31.0-dev.7"


def test_versions_of_browser_and_runtime_are_points_of_their_own() -> None:
    found = plan(browser=("chromium@147", "chromium@153"), runtime=("onnxruntime-web@1.29", "onnxruntime-web@1.30.0"))
    assert len({point.case.case_id for point in found.cases}) == 4
    assert all(point.outcome is None for point in found.cases)
    assert "chromium@147.0.2/onnxruntime-web@1.29.0" in found.cases[0].case.slug


@pytest.mark.parametrize(
    ("flags", "code", "hint"),
    [
        ({"browser": "chromium@147.0.1"}, "unknown_version", "147.0."),
        ({"browser": "chromium@nonsense"}, "unknown_version", "published: 143.0.4"),
        ({"browser": "chromum@147.0.0"}, "unknown_browser", "chromium"),
        ({"browser": "chromium@/no/such/program"}, "no_such_file", "chromium@/path"),
        ({"runtime": "onnxruntime-web@7"}, "unknown_version", "1.29.0"),
        ({"runtime": "onnxruntime-web"}, "unknown_runtime", "onnxruntime-web"),
        ({"runtime": "onnxruntim-web@1.29.0"}, "unknown_runtime", "onnxruntime-web"),
        ({"runtime": "onnxruntime-web@1.29.0", "hardware": "cpu"}, "unused_runtime", "web"),
    ],
)
def test_what_nobody_publishes_is_a_mistake_with_the_next_step(flags: dict[str, str], code: str, hint: str) -> None:
    with pytest.raises(UserMistake) as caught:
        plan(**flags)
    assert caught.value.code == code and hint in (caught.value.hint or "")


def test_where_nobody_can_be_asked_a_version_is_taken_as_it_is_typed() -> None:
    selection = make_selection(None, {"model": ("bert",), "hardware": ("wasm",), "browser": ("chromium@999.9.0",)})
    assert browsers_of(make_plan(selection, lookup, lambda package: None)) == ["999.9.0"]
    with pytest.raises(UserMistake, match="cannot be asked now") as caught:
        make_plan(selection.model_copy(update={"browser": ("chromium@147",)}), lookup, lambda package: None)
    assert caught.value.code == "no_registry"


def test_all_beside_a_version_is_both() -> None:
    asked = {point.case.slug.rpartition("/")[2] for point in plan(browser=("all", "chromium@147")).cases}
    assert {"chromium@147.0.2", "chromium", "firefox", "webkitgtk"} <= asked and "attached" not in asked


def test_only_what_can_be_had_in_versions_takes_one() -> None:
    (point,) = plan(browser="firefox@150.0").cases
    assert point.outcome == "unsupported" and "firefox@/path/to/it" in (point.reason or "")
    (point,) = plan(browser=f"webkitgtk@{sys.executable}").cases
    assert point.outcome == "unsupported" and "takes no path" in (point.reason or "")
    (point,) = plan(browser=f"firefox@{sys.executable}").cases
    assert point.outcome is None and point.case.browser_version == sys.executable


def test_a_native_point_beside_them_has_no_runtime() -> None:
    found = plan(hardware=("cpu", "wasm"), runtime="onnxruntime-web@1.29.0")
    assert [point.case.runtime for point in found.cases] == [None, "onnxruntime-web@1.29.0"]


@pytest.mark.parametrize(("typed", "kept"), [("50mbit", "50mbit"), ("1gbit", "1000mbit"), ("500kbit", "0.5mbit")])
def test_a_rate_has_one_spelling(typed: str, kept: str) -> None:
    (point,) = plan(network=typed).cases
    assert point.case.network == kept and kept in point.case.slug.split("/")


@pytest.mark.parametrize("typed", ["50", "50mb", "-1mbit", "0mbit", "1e9gbit", "fast", "99gbit"])
def test_what_is_no_rate_is_refused(typed: str) -> None:
    with pytest.raises(UserMistake) as caught:
        plan(network=typed)
    assert caught.value.code == "bad_rate"
