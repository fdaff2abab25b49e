"""Browsers that the harness did not start: a person's, so to say. And `harness attach`, waiting for them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

PATIENCE_S = 60.0
# A closed network must not keep them busy; nothing here is about what is measured.
_CHROMIUM = ("--headless=new", "--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-sync")
_FIREFOX = {
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.normandy.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.aboutwelcome.enabled": False,
}
TINY = ("--model", "bert", "--scale", "tiny", "--length", "16", "--hardware", "wasm", "--quiet", "off")


def command_of(engine: str, url: str, profile: Path, *more: str) -> list[str]:
    """What a person would type."""
    profile.mkdir(parents=True, exist_ok=True)
    if engine == "chromium":
        return [shutil.which("chromium") or "chromium", *_CHROMIUM, f"--user-data-dir={profile}", *more, url]
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _FIREFOX.items()]
    (profile / "user.js").write_text("\n".join(lines))
    return [shutil.which("firefox-esr") or "firefox-esr", "--headless", "--no-remote", "--profile", str(profile), url]


@contextmanager
def opened(engine: str, url: str, profile: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A browser at the URL, with all its processes in a group that is killed at the end."""
    with (profile.parent / f"{profile.name}.log").open("wb") as log:
        command = command_of(engine, url, profile, *more)
        environment = {**os.environ, "HOME": str(profile), "XDG_CACHE_HOME": str(profile / "cache")}
        browser = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        try:
            yield browser
        finally:
            end(browser)


@contextmanager
def looking_away(profile: Path) -> Iterator[None]:
    """Another tab in front of the page of a Chromium that was opened with `--remote-debugging-port=0`."""
    told = profile / "DevToolsActivePort"
    ends_at = time.monotonic() + PATIENCE_S
    while not told.is_file() or not told.read_text("utf-8"):
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    address = f"http://127.0.0.1:{told.read_text('utf-8').split()[0]}/json"
    pages = json.load(urlopen(f"{address}/list"))
    page = next(each["id"] for each in pages if "attach.html" in each["url"])
    urlopen(Request(f"{address}/new?about:blank", method="PUT")).close()
    yield
    urlopen(f"{address}/activate/{page}").close()


def end(browser: subprocess.Popen[bytes]) -> None:
    """As when a phone's battery is empty: nobody says goodbye."""
    if browser.poll() is None:
        os.killpg(browser.pid, signal.SIGKILL)
    browser.wait()


@dataclass
class Attaching:
    """A `harness attach` under way: what it printed so far, and its end."""

    process: subprocess.Popen[str]
    said: Path
    folder: Path

    def url(self, device: str = "any browser") -> str:
        return self.wait_for(rf"^{re.escape(device)}, open: (\S+)$")

    def wait_for(self, pattern: str) -> str:
        """The first group of a line on stderr; it must come while the run goes on."""
        ends_at = time.monotonic() + PATIENCE_S
        while True:
            ended = self.process.poll() is not None
            if found := re.search(pattern, self.stderr(), re.M):
                return found[1] if found.groups() else found[0]
            assert not ended and time.monotonic() < ends_at, self.stderr()
            time.sleep(0.05)

    def stderr(self) -> str:
        return self.said.read_text("utf-8")

    def answer(self, code: int = 0) -> dict[str, Any]:
        """Its JSON, once it has ended as it should."""
        out, _ = self.process.communicate(timeout=3 * PATIENCE_S)
        assert self.process.returncode == code, self.stderr()
        found: dict[str, Any] = json.loads(out)
        return found

    def records(self) -> list[dict[str, Any]]:
        (journal,) = (self.folder / "t.journal").glob("*.jsonl")
        return [json.loads(line) for line in journal.read_text("utf-8").splitlines()]


@contextmanager
def attaching(
    folder: Path, *options: str, selection: Sequence[str] = TINY, verb: str = "attach"
) -> Iterator[Attaching]:
    """`harness attach` in a folder of its own; stopped at the end if it has not ended."""
    said = folder / "stderr.txt"
    command = [sys.executable, "-m", "harness", verb, *selection, *options, "--db", str(folder / "t.duckdb"), "--json"]
    with said.open("w") as err:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True, cwd=folder)
        try:
            yield Attaching(process, said, folder)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=PATIENCE_S)
