"""What a Case's numbers depend on, read from what is really installed here; and what does not touch them."""

import json
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import catalog
from harness.core.nouns import UNKNOWN_VERSION, Case, LoopPolicy, Plan, PlannedCase, Policy
from harness.core.plugins import Browser
from harness.execute.browser_version import version_without_starting
from harness.execute.seeing import Seeing
from harness.export.request import digest_of_request, request_for
from harness.steps.versions import MEASURING, stamped
from tests.making import make_case, make_model

NATIVE = make_case(platform="onnxruntime", backend="onnxruntime")
PAGE = make_case(platform="wasm", backend="ort_web", device="wasm", browser="chromium")


def versions_of(case: Case) -> dict[str, str]:
    found = stamped(Plan(cases=(PlannedCase(case=case),), policy=Policy())).cases[0].versions
    assert found is not None
    return found


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The catalogue over a copy of the tree, in which files can be changed."""
    for folder in ("harness", "native", "exporters", "browser_assets"):
        skip = shutil.ignore_patterns("node_modules", "__pycache__")
        shutil.copytree(catalog.ROOT / folder, tmp_path / folder, ignore=skip)
    for package in ("onnxruntime-web", "@sparticuz/chromium"):
        installed = tmp_path / "browser_assets" / "node_modules" / package
        installed.mkdir(parents=True)
        shutil.copy(catalog.PAGE_ROOT / "node_modules" / package / "package.json", installed)
    monkeypatch.setattr(catalog, "ROOT", tmp_path)
    monkeypatch.setattr(catalog, "PAGE_ROOT", tmp_path / "browser_assets")
    forget_plug_ins()
    yield tmp_path
    forget_plug_ins()


def forget_plug_ins() -> None:
    """The catalogue reads the tree again."""
    for read in (catalog.browsers, catalog.backends, catalog.exporters):
        read.cache_clear()


def raise_version(file: Path) -> None:
    text = file.read_text()
    assert '"version": 1,' in text
    file.write_text(text.replace('"version": 1,', '"version": 2,', 1))
    forget_plug_ins()


def differ(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_a_native_case_depends_on_its_packages_and_a_page_on_its_own() -> None:
    native, page = versions_of(NATIVE), versions_of(PAGE)
    assert native["onnxruntime"] == catalog.installed_version("onnxruntime")
    assert native["python"] == platform.python_version()
    pinned = json.loads((catalog.PAGE_ROOT / "package.json").read_text())["dependencies"]
    assert page["onnxruntime-web"] == pinned["onnxruntime-web"]
    assert page["playwright"] == catalog.installed_version("playwright")
    assert "browser" not in native and "python" not in page
    assert native["artifact"] == page["artifact"] == digest_of_request(request_for(NATIVE))
    assert native["loop"] != page["loop"]


def test_another_models_artifact_is_another() -> None:
    other = NATIVE.model_copy(update={"model": make_model(identity="vit", architecture="vit")})
    assert differ(versions_of(NATIVE), versions_of(other)) == {"artifact"}


@pytest.mark.parametrize("side", ["native", "page"])
def test_a_sides_version_counts_on_that_side(monkeypatch: pytest.MonkeyPatch, side: str) -> None:
    before = versions_of(NATIVE), versions_of(PAGE)
    monkeypatch.setitem(MEASURING, side, 2)
    after = versions_of(NATIVE), versions_of(PAGE)
    assert differ(before[0], after[0]) == ({"loop"} if side == "native" else set())
    assert differ(before[1], after[1]) == ({"loop"} if side == "page" else set())


@pytest.mark.parametrize(
    ("file", "native", "page"),
    [
        ("native/backends/onnxruntime.py", True, False),
        ("native/backends/pytorch.py", False, False),
        ("browser_assets/backends/ort_web/backend.json", False, True),
        ("browser_assets/backends/noop_web/backend.json", False, False),
    ],
)
def test_a_backends_version_counts_for_that_backend(copied: Path, file: str, native: bool, page: bool) -> None:
    before = versions_of(NATIVE), versions_of(PAGE)
    raise_version(copied / file)
    after = versions_of(NATIVE), versions_of(PAGE)
    assert differ(before[0], after[0]) == ({"loop"} if native else set())
    assert differ(before[1], after[1]) == ({"loop"} if page else set())


@pytest.mark.parametrize("exporter", ["to_onnx", "to_onnx_torch", "from_onnx", "quantise"])
def test_an_exporters_version_counts_for_what_it_takes_part_in(copied: Path, exporter: str) -> None:
    """`auto`, which exports architectures, tries the first two."""
    quantised = NATIVE.model_copy(update={"precision": "int8"})
    before = versions_of(NATIVE), versions_of(quantised)
    raise_version(copied / "exporters" / f"{exporter}.py")
    after = versions_of(NATIVE), versions_of(quantised)
    tried = exporter in ("to_onnx", "to_onnx_torch")
    assert differ(before[0], after[0]) == ({"artifact"} if tried else set())
    assert differ(before[1], after[1]) == ({"artifact"} if tried or exporter == "quantise" else set())


def test_a_renamed_file_and_a_mended_docstring_change_nothing(copied: Path) -> None:
    before = versions_of(NATIVE), versions_of(PAGE)
    (copied / "native" / "loop.py").rename(copied / "native" / "inference_loop.py")
    (copied / "exporters" / "reference.py").rename(copied / "exporters" / "expected.py")
    for file in ("harness/metrics/latency_median_ms.py", "exporters/to_onnx.py", "native/backends/onnxruntime.py"):
        text = (copied / file).read_text()
        (copied / file).write_text(text.replace('"""', '"""In other words: ', 1))
    forget_plug_ins()
    assert (versions_of(NATIVE), versions_of(PAGE)) == before


@pytest.mark.parametrize(
    ("package", "changed"), [("onnxruntime-web", "onnxruntime-web"), ("@sparticuz/chromium", "browser")]
)
def test_what_lies_in_node_modules_is_what_counts(copied: Path, package: str, changed: str) -> None:
    before = versions_of(PAGE)
    manifest = copied / "browser_assets" / "node_modules" / package / "package.json"
    manifest.write_text(json.dumps({"version": "9.9.9"}))
    after = versions_of(PAGE)
    assert differ(before, after) == {changed}
    assert after[changed].endswith("9.9.9")


def test_a_browsers_flags_count(copied: Path) -> None:
    before = versions_of(PAGE)
    file = copied / "harness" / "browsers" / "chromium.py"
    file.write_text(file.read_text().replace('"--no-first-run"', '"--no-first-run", "--single-process"'))
    catalog.browsers.cache_clear()
    assert differ(before, versions_of(PAGE)) == {"loop"}


def test_the_loops_rules_count_and_the_rounds_slice_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    before = versions_of(NATIVE)
    monkeypatch.setattr(Policy, "loop", lambda self: LoopPolicy(slice_ns=1))
    assert versions_of(NATIVE) == before
    monkeypatch.setattr(Policy, "loop", lambda self: LoopPolicy(slice_ns=1, warm_least=4))
    assert differ(before, versions_of(NATIVE)) == {"loop"}


def browser(*places: dict[str, str]) -> Browser:
    fields: dict[str, Any] = {
        "name": "b",
        "title": "b",
        "engine": "chromium",
        "driver": "playwright",
        "install": "",
        "args": (),
    }
    return Browser.model_validate({**fields, "flag_sets": {}, "find": places})


def test_a_browser_is_known_by_the_first_place_that_has_it() -> None:
    playwrights = f"playwright's chromium {catalog.installed_version('playwright')}"
    assert version_without_starting(browser({"npm": "no-such-package"}, {"playwright": "chromium"})) == playwrights
    embedded = version_without_starting(catalog.browsers()["chromium"])
    assert embedded == playwrights or embedded.startswith("@sparticuz/chromium ")
    assert version_without_starting(browser({"path": "/no/such/b"}, {"playwright": "chromium"})) == playwrights
    assert version_without_starting(browser({"path": sys.executable})) == f"Python {platform.python_version()}"
    # A place that only the drivers know comes before one whose version is known: which it will be is not known.
    assert version_without_starting(browser({"channel": "b"}, {"playwright": "chromium"})) == UNKNOWN_VERSION


def test_only_what_may_be_measured_is_stamped_and_once() -> None:
    impossible = PlannedCase(case=NATIVE, outcome="unsupported", reason="no")
    had = PlannedCase(case=PAGE, versions={"harness": "0"})
    points = stamped(Plan(cases=(impossible, had), policy=Policy())).cases
    assert [point.versions for point in points] == [None, {"harness": "0"}]


def test_what_was_looked_at_is_not_what_ran_in_peace() -> None:
    plan = Plan(cases=(PlannedCase(case=NATIVE), PlannedCase(case=PAGE)), policy=Policy())
    kept_open = Seeing(headed=True, keep_open=True, screenshots=Path("anywhere"), trace=Path("t"))
    native, page = (point.versions or {} for point in stamped(plan, kept_open).cases)
    assert native == versions_of(NATIVE), "there is no window to look at"
    assert page["seeing"] == "headed, traced" and "playwright's chromium" in page["browser"]
    in_peace = stamped(plan, Seeing(screenshots=Path("anywhere"))).cases[1].versions
    assert in_peace == versions_of(PAGE) and "seeing" not in versions_of(PAGE)
