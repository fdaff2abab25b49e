"""What the page server gives and to whom: isolation for every answer, nothing without the token, nothing outside."""

import asyncio
import math
import resource
import sys
from pathlib import Path

import aiohttp
import pytest

from harness.core.events import Failed, Probe
from harness.execute.files import Pipe
from harness.execute.page_server import PageServer, Seat


def seat_of(server: PageServer, tmp_path: Path) -> Seat:
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact" / "model.bin").write_bytes(b"0123456789")
    (tmp_path / "secret.txt").write_text("no")
    (tmp_path / "artifact" / "link").symlink_to(tmp_path / "secret.txt")
    seat = Seat(lambda _: Probe(), artifact_dir=tmp_path / "artifact", outputs_dir=tmp_path / "out")
    server.take(seat)
    return seat


async def test_every_answer_isolates_the_page_also_a_refusal(
    server: PageServer, client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    seat = seat_of(server, tmp_path)
    served = [server.page_url("run.html"), server.page_url("run.js")]
    others = [f"/artifact/{seat.token}/model.bin", "/page/run.html", "/nothing", "/link/wrong", "/lobby/wrong"]
    for path in [*served, *(server.origin + each for each in others)]:
        async with client.get(path) as answer:
            assert (answer.status == 200) is (path in served or "artifact" in path), path
            assert answer.headers["Referrer-Policy"] == "no-referrer", path
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", path
            assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp", path
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin", path


async def test_it_listens_on_loopback_only(server: PageServer) -> None:
    assert server.origin.startswith("http://127.0.0.1:")


async def test_artifact_files_come_whole_and_in_ranges(
    server: PageServer, client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    url = f"{server.origin}/artifact/{seat_of(server, tmp_path).token}/model.bin"
    async with client.get(url) as answer:
        assert await answer.read() == b"0123456789"
    async with client.get(url, headers={"Range": "bytes=2-4"}) as answer:
        assert (answer.status, await answer.read()) == (206, b"234")


@pytest.mark.parametrize("path", ["../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "link", "", "none"])
async def test_nothing_outside_the_artifact_is_served(
    server: PageServer, client: aiohttp.ClientSession, tmp_path: Path, path: str
) -> None:
    from yarl import URL

    token = seat_of(server, tmp_path).token
    async with client.get(URL(f"{server.origin}/artifact/{token}/{path}", encoded=True)) as answer:
        assert answer.status == 404


async def test_without_the_token_there_is_nothing(
    server: PageServer, client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    seat = seat_of(server, tmp_path)
    async with client.get(f"{server.origin}/artifact/guess/model.bin") as answer:
        assert answer.status == 404
    ours = {"Origin": server.origin}
    async with client.post(f"{server.origin}/outputs/guess/first/0", data=b"x", headers=ours) as answer:
        assert answer.status == 404
    server.leave(seat)
    async with client.get(f"{server.origin}/artifact/{seat.token}/model.bin") as answer:
        assert answer.status == 404, "a seat that was left is closed"


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null"])
async def test_another_origin_cannot_take_the_seat(
    server: PageServer, client: aiohttp.ClientSession, tmp_path: Path, origin: str | None
) -> None:
    seat = seat_of(server, tmp_path)
    headers = {"Origin": origin} if origin else {}
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await client.ws_connect(f"{server.origin}/link/{seat.token}", headers=headers)
    assert caught.value.status == 403
    assert seat.events.empty()


async def test_garbage_on_the_link_ends_the_round_and_harms_nobody(
    server: PageServer, client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    seat = seat_of(server, tmp_path)
    async with client.ws_connect(f"{server.origin}/link/{seat.token}", headers={"Origin": server.origin}) as link:
        assert (await link.receive_json())["event"] == "probe"
        await link.send_str("{not json")
        event = await asyncio.wait_for(seat.events.get(), 5)
        assert isinstance(event, Failed) and event.code == "protocol"
        assert (await link.receive_json())["event"] == "ack"


async def test_outputs_are_written_where_they_belong_and_nowhere_else(
    server: PageServer, client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    token, ours = seat_of(server, tmp_path).token, {"Origin": server.origin}
    async with client.post(f"{server.origin}/outputs/{token}/last/0", data=b"\x01\x02", headers=ours) as answer:
        assert answer.status == 204
    assert (tmp_path / "out" / "last" / "0.bin").read_bytes() == b"\x01\x02"
    for path in ("middle/0", "last/x", "last/-1", "..%2fx/0"):
        async with client.post(f"{server.origin}/outputs/{token}/{path}", data=b"x", headers=ours) as answer:
            assert answer.status == 404, path


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
async def test_a_disk_that_takes_no_outputs_ends_the_round_by_its_name(
    server: PageServer, client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    seat = seat_of(server, tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        url, headers = f"{server.origin}/outputs/{seat.token}/first/0", {"Origin": server.origin}
        async with client.post(url, data=b"x" * 5000, headers=headers) as answer:
            assert answer.status == 507
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    failed = seat.events.get_nowait()
    assert isinstance(failed, Failed) and failed.code == "disk_full"


@pytest.mark.parametrize("kept", [True, False])
async def test_through_a_pipe_a_file_comes_whole_isolated_and_is_kept_only_where_a_next_visit_is_asked_for(
    server: PageServer, client: aiohttp.ClientSession, tmp_path: Path, kept: bool
) -> None:
    token, content = seat_of(server, tmp_path).token, bytes(range(256)) * 1000
    (tmp_path / "artifact" / "large.bin").write_bytes(content)
    server.pipe = Pipe(100_000_000, kept)
    async with client.get(f"{server.origin}/artifact/{token}/large.bin") as answer:
        assert await answer.read() == content
        assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert ("immutable" in answer.headers["Cache-Control"]) is kept
        assert ("no-store" in answer.headers["Cache-Control"]) is not kept
    for path in ("../secret.txt", "link", "none"):
        async with client.get(f"{server.origin}/artifact/{token}/{path}") as answer:
            assert answer.status == 404, path


class Clock:
    """A system's clock: it wakes nobody before a whole millisecond has begun, and then some time later."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    async def sleep(self, duration_s: float) -> None:
        self.at = math.ceil((self.at + duration_s) * 1000) / 1000 + 0.0007


@pytest.mark.parametrize("rate", [1_000_000, 50_000_000, 1_000_000_000])
async def test_a_pipe_keeps_its_rate_though_every_sleep_is_too_long(rate: int) -> None:
    clock, sent = Clock(), 0
    pipe = Pipe(rate, now=clock.now, sleep=clock.sleep)
    while sent < rate // 8 * 2:  # two seconds of it
        await pipe.passes(32 * 1024)
        sent += 32 * 1024
    assert sent * 8 / (clock.at - 1000) == pytest.approx(rate, rel=0.01)


async def test_a_pause_gives_nothing_to_make_up_for() -> None:
    clock = Clock()
    pipe = Pipe(8_000_000, now=clock.now, sleep=clock.sleep)
    await pipe.passes(1_000_000)
    clock.at += 60
    began = clock.at
    await pipe.passes(1_000_000)
    assert clock.at - began >= 1


async def test_all_who_download_share_a_pipe() -> None:
    clock = Clock()
    pipe = Pipe(8_000_000, now=clock.now, sleep=clock.sleep)
    await asyncio.gather(*(pipe.passes(250_000) for _ in range(4)))
    assert clock.at - 1000 >= 1
