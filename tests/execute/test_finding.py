"""Where a browser is looked for, in which order, and what is said when it is nowhere."""

from pathlib import Path

import pytest

from harness import catalog
from harness.core.errors import Unsupported
from harness.core.plugins import Browser
from harness.execute.finding import find
from harness.execute.flags import platform_args, platform_preferences


def browser(*places: dict[str, str], name: str = "webkitgtk") -> Browser:
    return catalog.browsers()[name].model_copy(update={"find": places})


def program(folder: Path, name: str) -> str:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_the_first_place_that_holds_it_wins(tmp_path: Path) -> None:
    one, two = program(tmp_path, "one"), program(tmp_path, "two")
    assert str(find(browser({"path": "no-such"}, {"path": two}, {"path": one})).program) == two
    assert find(browser({"path": "no-such"}, {"channel": "chrome"})).channel == "chrome"
    assert find(browser({"npm": "no-such"}, {"playwright": "chromium"})).program is None


def test_a_webdriver_without_its_browser_is_none(tmp_path: Path) -> None:
    driver = program(tmp_path, "driver")
    (tmp_path / "v1").mkdir()
    place = {"path": driver, "binary": f"{tmp_path}/v*/MiniBrowser"}
    with pytest.raises(Unsupported, match=r"no .*MiniBrowser.*apt install webkit2gtk-driver"):
        find(browser(place))
    there = program(tmp_path / "v1", "MiniBrowser")
    found = find(browser(place))
    assert (str(found.program), str(found.binary)) == (driver, there)


def test_only_root_runs_without_a_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"path": program(tmp_path, "driver")}
    said = []
    for user in (0, 1000):
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        said.append("WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS" in find(browser(place)).environment)
    assert said == [True, False]


def test_a_record_that_is_like_another_has_its_flags_and_its_own_places() -> None:
    known = catalog.browsers()
    for name in ("chromium-system", "chrome", "chrome-beta", "edge"):
        assert platform_args(known[name], None) == platform_args(known["chromium"], None)
    assert [known[name].find[0]["channel"] for name in ("chrome-dev", "edge-beta")] == ["chrome-dev", "msedge-beta"]


def test_preferences_are_those_of_the_platform() -> None:
    firefox = catalog.browsers()["firefox"]
    assert "dom.webgpu.enabled" not in platform_preferences(firefox, "wasm")
    assert platform_preferences(firefox, "webgpu")["dom.webgpu.enabled"] is True
    assert platform_preferences(firefox, None) == platform_preferences(firefox, "webgpu")
