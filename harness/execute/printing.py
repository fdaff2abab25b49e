"""A page as PDF, printed by a browser that this harness drives anyway."""

import asyncio
from pathlib import Path

from harness.core.errors import Unsupported, UserMistake
from harness.core.plugins import Browser
from harness.execute.finding import find

_DRAWN_S = 60.0
# A4 without its margins, in CSS pixels: what is drawn to fill the width is drawn for this one.
_PAPER_WIDTH, _PAPER_HEIGHT = 703, 1024
# Words in a small grey line at the foot of each page; the classes are those that Chromium fills.
_FOOT = (
    '<div style="font-size:7px;width:100%;text-align:right;padding-right:12mm;color:#777">'
    '<span class="pageNumber"></span> / <span class="totalPages"></span></div>'
)


async def print_pdf(page: Path, browser: Browser) -> bytes:
    """The PDF of a local HTML file, A4, once the page says that its drawings are done (`data-drawn`).

    Raises UserMistake: no_browser, with what to install; not_printed, with the browser's words.
    """
    try:
        found = find(browser)
    except Unsupported as error:
        raise UserMistake("no_browser", f"nothing here can print a PDF: {error}", "or --format html") from error
    from playwright.async_api import Error, async_playwright

    try:
        async with async_playwright() as playwright, asyncio.timeout(2 * _DRAWN_S):
            running = await playwright.chromium.launch(
                executable_path=found.program, args=list(browser.args), env={**found.environment}, channel=found.channel
            )
            try:
                tab = await running.new_page(viewport={"width": _PAPER_WIDTH, "height": _PAPER_HEIGHT})
                await tab.emulate_media(media="print", color_scheme="light")
                await tab.goto(page.absolute().as_uri())
                await tab.wait_for_selector("html[data-drawn]", state="attached", timeout=_DRAWN_S * 1000)
                return await tab.pdf(
                    format="A4", print_background=True, display_header_footer=True, header_template="<span></span>",
                    footer_template=_FOOT, margin={"top": "12mm", "bottom": "14mm", "left": "12mm", "right": "12mm"},
                )  # fmt: skip
            finally:
                await running.close()
    except (Error, TimeoutError) as error:
        words = str(error).splitlines()[0] if str(error) else "it took too long"
        raise UserMistake(
            "not_printed", f"{browser.label} did not print the report: {words}", "or --format html"
        ) from error
