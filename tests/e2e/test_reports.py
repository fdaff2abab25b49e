"""Reports of real runs, which are stored, made by the program and opened in real browsers."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Request, async_playwright, expect

from harness import catalog
from harness.execute.finding import find
from harness.show.report.as_html import as_html
from harness.show.report.comparison import comparison_report
from tests.e2e.asked import answered, harness
from tests.golden.stored_answers import BATCHES, FIRST, SECOND, run_ids, unpack
from tests.show.report.made_up import many, sides, without_numbers
from tests.store.made_up_results import case_of

expect.set_options(timeout=30_000)  # three thousand rows on a slow machine

# Kind → the run that it is about; None: all.
KINDS = {
    "comparison": SECOND, "coverage": FIRST, "architecture": None, "batch-scaling": BATCHES, "trend": None,
    "training-vs-inference": None, "run": SECOND,
}  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database of runs that were really measured, once."""
    return unpack(tmp_path_factory.mktemp("measured"))


def second(measured: Path) -> str:
    return run_ids(measured)[SECOND]


@pytest.fixture
async def tab() -> AsyncIterator[Page]:
    """A tab that fails the test when the page says an error, or asks for anything."""
    chromium = catalog.browsers()["chromium"]
    found, troubles = find(chromium), list[str]()
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=found.program, args=list(chromium.args), env={**found.environment}
        )
        page = await running.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda said: troubles.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda asked: None if _is_own(asked) else troubles.append(asked.url))
        yield page
        await running.close()
    assert troubles == []


def _is_own(asked: Request) -> bool:
    """The page itself, and what stands within it."""
    return asked.is_navigation_request() or asked.url.startswith("data:")


async def opened(tab: Page, file: Path) -> Page:
    await tab.goto(file.absolute().as_uri())
    await tab.wait_for_selector("html[data-drawn]", state="attached")
    assert await tab.locator("html").get_attribute("data-drawn") == "yes"
    return tab


async def shown(tab: Page, table: str = "results") -> list[str]:
    return await tab.locator(f"#t-{table} tbody tr:visible").all_inner_texts()


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_opens_without_an_error_and_its_drawings_have_marks(
    measured: Path, tab: Page, kind: str
) -> None:
    about = KINDS[kind]
    named = [] if about is None else [run_ids(measured)[about]]
    told = answered(measured, "report", kind, *named, "--format", "html")
    file = Path(told["file"])
    assert file == measured / "results" / "reports" / f"{'-'.join([kind, *named])}.html"
    page = await opened(tab, file)
    assert await page.locator(".answer .text").first.inner_text() == told["answers"][0]["text"]
    drawings = page.locator(".drawing")
    if kind not in ("trend", "training-vs-inference"):  # one run in one mode has neither
        assert await drawings.count() > 0
    for place in range(await drawings.count()):
        assert await drawings.nth(place).locator("svg [aria-roledescription]").count() > 0
    assert await page.locator("#t-results tbody tr").count() == len(told["tables"]["results"])


async def test_the_filter_hides_rows_of_all_tables_and_a_link_to_a_hidden_row_still_leads_there(
    measured: Path, tab: Page
) -> None:
    answered(measured, "report", "comparison", second(measured), "--out", "c.html")
    page = await opened(tab, measured / "c.html")
    everything = len(await shown(page))
    assert everything == 8
    await page.get_by_label("Filter all tables").fill("int8 wasm")
    await expect(page.locator("#found")).to_contain_text(" of ")
    left = await shown(page)
    assert len(left) == 1 and all("int8" in text and "wasm" in text for text in left)
    await page.get_by_label("Filter all tables").fill("onnxruntime")
    hidden = page.locator("#t-sources tbody tr[hidden]").first
    await expect(hidden).to_be_attached()
    await page.evaluate("(id) => { location.hash = id; }", await hidden.get_attribute("id"))
    await expect(page.locator("#t-sources tr:target")).to_be_visible()


async def test_a_column_sorts_both_ways_by_its_numbers_also_by_keyboard(measured: Path, tab: Page) -> None:
    told = answered(measured, "report", "comparison", second(measured), "--out", "c.html")
    page = await opened(tab, measured / "c.html")
    latencies = [row["latency_median_ms"] for row in told["tables"]["results"]]
    known = sorted(latency for latency in latencies if latency is not None)
    assert (len(known), len(latencies)) == (6, 8)
    head = page.locator("#t-results thead th", has_text="latency")
    for order, key in (("ascending", None), ("descending", "Enter")):
        button = head.locator("button")
        await (button.press(key) if key else button.click())
        assert await head.get_attribute("aria-sort") == order
        cells = await page.locator("#t-results tbody td:nth-child(3)").all()
        seen = [await cell.get_attribute("data-v") for cell in cells]
        wanted = known if order == "ascending" else known[::-1]
        assert seen[6:] == [None, None], "what has no number comes last either way"
        assert list(map(float, seen[:6])) == pytest.approx(wanted, rel=1e-5)  # type: ignore[arg-type]


async def test_a_click_on_a_mark_goes_to_where_its_number_comes_from(measured: Path, tab: Page) -> None:
    answered(measured, "report", "comparison", second(measured), "--hardware", "onnxruntime,wasm", "--out", "b.html")
    page = await opened(tab, measured / "b.html")
    mark = page.locator(".drawing svg .mark-rect path, .drawing svg .mark-symbol path").first
    await mark.evaluate("(mark) => mark.scrollIntoView({ block: 'center' })")
    await mark.click(force=True)  # its interval's line may lie over it, which leads to the same place
    await expect(page.locator("#t-sources tr:target")).to_be_visible()


@pytest.mark.long
async def test_three_thousand_points_and_a_run_in_which_all_failed_open_as_well(tmp_path: Path, tab: Page) -> None:
    run = many()
    (tmp_path / "many.html").write_text(as_html(comparison_report([(run, one) for one in run.cases])))
    page = await opened(tab, tmp_path / "many.html")
    await page.get_by_label("Filter all tables").fill("model-007")
    await expect(page.locator("#found")).to_contain_text(" of ")
    assert len(await shown(page)) == 10
    failed = [without_numbers(case_of("x" * 300, place), "failed", "y" * 900) for place in ("cpu", "wasm")]
    (tmp_path / "failed.html").write_text(as_html(comparison_report(sides(*failed))))
    page = await opened(tab, tmp_path / "failed.html")
    assert "nothing can be ranked" in await page.locator(".answer .text").inner_text()
    for width in (1280, 390):  # what is long breaks, and nothing makes the page wider than its window
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_pdf_is_printed_by_the_browser(measured: Path) -> None:
    told = harness(measured, "report", "run", second(measured), "--out", "r.pdf")
    content = (measured / "r.pdf").read_bytes()
    assert told["bytes"] == len(content)
    assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") + content.count(b"/Type /Page/") >= 2


def test_text_formats_go_to_stdout_and_know_only_what_was_asked_for(measured: Path) -> None:
    done = report(measured, "comparison", second(measured), "--format", "csv", "--hardware", "wasm")
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.startswith("model,platform,latency_median_ms")
    assert len(rows) == 2 and all("bert" in row and "wasm" in row for row in rows)
    text = report(measured, "comparison", second(measured), "--format", "markdown").stdout
    assert text.startswith("## Which platform is fastest")


def test_a_user_s_mistakes_are_said_with_the_next_step(measured: Path) -> None:
    assert answered(measured, "report", exit_code=2)["error"]["code"] == "usage"
    nothing = answered(measured, "report", "comparison", "--model", "gpt2", exit_code=2)
    assert nothing["error"]["code"] == "nothing_to_report"
    assert answered(measured, "report", "run", "nope", exit_code=2)["error"]["code"] == "unknown_run"


def report(folder: Path, *arguments: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "harness", "report", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
