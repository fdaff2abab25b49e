"""The screen that nobody sees: one for all, another when it has died, and for nobody without its cookie."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from harness import catalog
from harness.core.errors import Unsupported
from harness.execute.finding import find
from harness.execute.screen import Screen


@pytest_asyncio.fixture
async def screen() -> AsyncIterator[Screen]:
    made = Screen(30)
    yield made
    await made.close()
    assert not screens()


def screens() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if each.name() == "Xvfb"]


def opens(environment: dict[str, str]) -> bool:
    """Whether a program is shown there; this one connects before it prints its version."""
    program = find(catalog.browsers()["webkitgtk"]).binary
    clean = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "XAUTHORITY")}
    asked = subprocess.run([str(program), "--version"], env={**clean, **environment}, capture_output=True, check=False)
    return asked.returncode == 0


async def test_everybody_gets_the_same_and_a_dead_one_is_replaced(screen: Screen) -> None:
    first, again = await screen.environment(), await screen.environment()
    assert first == again and len(screens()) == 1
    assert set(first) == {"DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "GDK_BACKEND"}
    assert await asyncio.to_thread(opens, first)
    for each in screens():
        each.kill()
    await asyncio.sleep(0.5)
    another = await screen.environment()
    assert another["XAUTHORITY"] != first["XAUTHORITY"] and not Path(first["XAUTHORITY"]).exists()
    assert await asyncio.to_thread(opens, another)


async def test_without_the_cookie_nobody_is_let_in(screen: Screen, tmp_path: Path) -> None:
    environment = await screen.environment()
    (tmp_path / "none").write_bytes(b"")
    assert not await asyncio.to_thread(opens, {**environment, "XAUTHORITY": str(tmp_path / "none")})


async def test_who_is_told_to_stop_while_it_starts_leaves_a_screen_that_can_be_had(screen: Screen) -> None:
    starting = asyncio.ensure_future(screen.environment())
    await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not screens()
    assert (await screen.environment())["DISPLAY"].removeprefix(":").isdigit()


async def test_without_xvfb_there_is_none(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(Unsupported, match="no Xvfb"):
        await screen.environment()
