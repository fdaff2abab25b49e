"""Browsers that the harness did not launch carry out a Plan: two engines, cut lines, another address, a lost device."""

import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.core.nouns import Artifact
from tests.e2e.cutting import CuttingProxy
from tests.e2e.others import TINY, Attaching, attaching, end, looking_away, opened


@pytest.fixture
def place(tmp_path: Path, tiny_bert: tuple[Artifact, Path]) -> Path:
    """A folder for a run; what it would export is there."""
    (tmp_path / "artifacts").symlink_to(tiny_bert[1].parent)
    return tmp_path


def rounds(run: Attaching) -> list[dict[str, Any]]:
    return [each for each in run.records() if each["record"] == "round"]


def events(run: Attaching, kind: str) -> list[dict[str, Any]]:
    return [each["event"] for each in run.records() if each["record"] == "event" and each["event"]["event"] == kind]


def said_by(cases: list[dict[str, Any]], device: str) -> list[str]:
    (case,) = [each for each in cases if each["slug"].endswith(f"@{device}")]
    return list(case["doubts"])


def test_two_engines_that_nobody_launched_carry_out_a_plan(place: Path) -> None:
    options = ("--device", "phone,tablet", "--rounds", "2", "--budget", "1s", "--wait", "60s")
    with attaching(place, *options) as run:
        phone, tablet = run.url("phone"), run.url("tablet")
        assert phone != tablet
        seeing = "--remote-debugging-port=0"
        with opened("chromium", phone, place / "c", seeing), opened("firefox", tablet, place / "f"):
            run.wait_for("phone is here")
            with looking_away(place / "c"):
                run.wait_for("attached@phone #1: ok")
            cases = run.answer()["cases"]
    assert {case["slug"].rpartition("@")[2]: case["outcome"] for case in cases} == {"phone": "ok", "tablet": "ok"}
    for case in cases:
        assert case["correct"]["checked"] and case["correct"]["max_abs"] <= case["correct"]["tolerance"]
        assert case["metrics"]["peak_memory_mb"] is None, "nobody knows the browser's processes"
        assert case["rounds"] == 2 and case["clock"]["isolated"] is True
        assert any("attached from this machine's own address" in doubt for doubt in case["doubts"])
        assert any("not a fresh browser" in doubt for doubt in case["doubts"])
    for device, name in (("phone", "Chromium"), ("tablet", "Firefox")):
        assert any(f"of itself the browser says: {name}" in doubt for doubt in said_by(cases, device))
    assert any("the page was hidden" in doubt for doubt in said_by(cases, "phone")), "as it was in its first round"
    assert not any("the page was hidden" in doubt for doubt in said_by(cases, "tablet"))
    hellos = [event["provenance"] for event in events(run, "hello")]
    assert [each["isolated"] and each["shared_array_buffer"] for each in hellos] == [True] * 4
    about = [event["data"] for event in events(run, "note") if event["text"] == "browser"]
    assert {each["isolation"] for each in about} == {"document"}
    served = [(each["browser"]["device"], each["browser"]["rounds_before"]) for each in about]
    assert sorted(served) == [("phone", 0), ("phone", 1), ("tablet", 0), ("tablet", 1)]


@pytest.mark.long
def test_lines_that_are_cut_twice_lose_and_double_nothing(place: Path) -> None:
    """The browser comes over a proxy that has our name; it cuts the Round's line and the lobby's, twice."""
    proxy = CuttingProxy("127.0.0.2", "127.0.0.1", cuts=2, after_s=0.6)
    options = ("--listen", f"localhost:{proxy.port}", "--rounds", "2", "--budget", "8s", "--wait", "60s")
    try:
        with (
            attaching(place, *options) as run,
            opened("chromium", run.url(), place / "c", "--host-resolver-rules=MAP localhost 127.0.0.2"),
        ):
            (case,) = run.answer()["cases"]
    finally:
        proxy.close()
    assert proxy.cut == {b"GET /lobby/": 2, b"GET /link/": 2}, "they were cut"
    assert proxy.opened == {b"GET /lobby/": 3, b"GET /link/": 4}, "and came back; of the second round there is one line"
    assert (case["outcome"], case["rounds"], case["rounds_failed"]) == ("ok", 2, 0), case["reason"]
    assert [each["number"] for each in rounds(run)] == [1, 2]
    assert len(events(run, "hello")) == 2 and len(events(run, "outputs")) == 4 and len(events(run, "done")) == 2
    for number, one in enumerate(rounds(run), start=1):
        mine = [each["event"] for each in run.records() if each.get("round_id") == one["round_id"] and "event" in each]
        counted = next(each for each in mine if each["event"] == "phase" and each["phase"] == "sample")
        batches = [each for each in mine if each["event"] == "samples" and each["phase"] == "sample"]
        arrived = sum(len(each["durations_ns"]) for each in batches)
        assert arrived == counted["detail"]["samples"], f"round {number}: the page took as many as are here"
        assert len({tuple(each["durations_ns"]) for each in batches}) == len(batches), "none came twice"


def test_another_address_over_tls_and_nothing_there_unless_asked_for(place: Path) -> None:
    certificate, key = place / "cert.pem", place / "key.pem"
    making = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=test"]
    subprocess.run([*making, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    secure = ("--certificate", str(certificate), "--key", str(key))
    with attaching(place, "--listen", "0.0.0.0", *secure, "--rounds", "1", "--budget", "400ms") as run:
        url = run.url()
        found = re.fullmatch(r"https://([\d.]+):(\d+)/page/[\w-]{16}/attach\.html#[\w-]{32}", url)
        assert found is not None, url
        listening = listeners(run.process.pid)
        assert {address for address, port in listening if port == int(found[2])} == {"0.0.0.0"}
        assert {address for address, port in listening if port != int(found[2])} == {"127.0.0.1"}
        with opened("chromium", url, place / "c", "--ignore-certificate-errors"):
            (case,) = run.answer()["cases"]
    assert case["outcome"] == "ok" and case["clock"]["isolated"] is True, case["reason"]
    assert "█" in run.stderr() or found[1].startswith("127."), "a QR code, for a phone"


def test_a_device_that_never_comes_fails_alone_and_without_a_round(place: Path) -> None:
    with attaching(place, "--device", "never", "--wait", "500ms") as run:
        (case,) = run.answer(code=1)["cases"]
    assert (case["outcome"], case["code"], case["rounds"]) == ("failed", "device_absent", 0)
    assert case["reason"] == "never did not come within 0.5 s"


@pytest.mark.long
def test_a_device_that_goes_away_fails_alone(place: Path) -> None:
    """The browser is killed in the middle of a Round: nobody says goodbye. The order of Rounds is the seed's."""
    options = ("--device", "here", "--browser", "chromium", "--rounds", "2", "--budget", "6s", "--timeout", "6s")
    with attaching(place, *options, "--wait", "20s") as run:
        url = run.url("here")
        assert {address for address, _ in listeners(run.process.pid)} == {"127.0.0.1"}, "nobody asked for more"
        with opened("chromium", url, place / "c") as browser:
            run.wait_for("here is here")
            time.sleep(0.8)
            end(browser)
            cases = {case["slug"].rpartition("/")[2]: case for case in run.answer(code=1)["cases"]}
    gone = cases["attached@here"]
    assert (gone["outcome"], gone["code"], gone["rounds"]) == ("failed", "device_gone", 2), "it might have come back"
    assert gone["reason"] == "here went away and did not come back within 3 s"
    assert cases["chromium"]["outcome"] == "ok" and cases["chromium"]["rounds"] == 2, "the others go on"


def listeners(pid: int) -> set[tuple[str, int]]:
    """Where a process takes connections."""
    sockets = psutil.Process(pid).net_connections(kind="inet")
    return {(each.laddr.ip, each.laddr.port) for each in sockets if each.status == psutil.CONN_LISTEN}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--certificate", "c.pem", "--key", "k.pem"), "no_listen"),
        (("--device", "../x"), "bad_device_name"),
        (("--listen", "192.0.2.77:0"), "cannot_listen"),
        (("--resume", "last", "--device", "phone"), "resume_alone"),
    ],
)
def test_what_cannot_be_is_the_users_mistake(place: Path, options: tuple[str, ...], code: str) -> None:
    selection = () if "--resume" in options else TINY
    with attaching(place, *options, selection=selection) as run:
        assert run.answer(code=2)["error"]["code"] == code


@pytest.mark.long
def test_a_page_opened_by_hand_reproduces_the_round_and_nothing_is_stored(place: Path) -> None:
    """In a browser that nobody launched, and again when it is loaded again."""
    with attaching(place, "--by-hand", "--rounds", "1", "--budget", "300ms") as run:
        url = run.wait_for(r"^  (http://127\S+run\.html\?case=bert/tiny/fp32/b1/l16/wasm/attached#\S+)$")
        for number in (1, 2):
            with opened("chromium", url, place / f"c{number}"):
                run.wait_for(
                    rf"(?s)(?:/attached: median \S+ ms of \d+ samples .*; the answer is right; nothing.*){{{number}}}"
                )
        run.process.send_signal(signal.SIGINT)
        run.process.communicate(timeout=30)
        assert run.process.returncode == 0 and run.stderr().count("the answer is right") == 2, run.stderr()
    assert not (place / "t.duckdb").exists() and not (place / "t.journal").exists()
