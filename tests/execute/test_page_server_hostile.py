"""Another page or process tries to speak, to write and to read at the real page server; nothing of it gets through."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from harness.core.events import Alive, Failed, Probe
from harness.execute import page_server
from harness.execute.page_server import PageServer, Seat

ALIVE = Alive().model_dump_json()


@pytest.fixture
def seat(server: PageServer, tmp_path: Path) -> Seat:
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact" / "model.bin").write_bytes(b"0123456789")
    (tmp_path / "secret.txt").write_text("no")
    (tmp_path / "artifact" / "link").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "artifact" / "loop").symlink_to(tmp_path / "artifact" / "loop")
    (tmp_path / "artifact" / "up").symlink_to(tmp_path, target_is_directory=True)
    taken = Seat(lambda _: Probe(), artifact_dir=tmp_path / "artifact", outputs_dir=tmp_path / "out")
    server.take(taken)
    return taken


def full(server: PageServer, seat: Seat, path: str) -> str:
    """The URL of a path in which KEY and TOKEN stand for the real ones."""
    key = server.page_url("").removeprefix(f"{server.origin}/page/").rstrip("/")
    return server.origin + path.replace("KEY", key).replace("TOKEN", seat.token)


def own_port(server: PageServer, name: str) -> str:
    return f"{name}:{server.origin.rsplit(':', 1)[1]}"


@pytest.mark.parametrize(
    ("headers", "token", "status"),
    [
        ({"Origin": "OURS"}, "guess", 404),
        ({"Origin": "OURS"}, "A" * 32, 404),
        ({}, "RIGHT", 403),
        ({"Origin": "null"}, "RIGHT", 403),
        ({"Origin": "http://evil.example"}, "RIGHT", 403),
        ({"Origin": "http://127.0.0.1:1"}, "RIGHT", 403),
        ({"Origin": "https-OURS"}, "RIGHT", 403),
        ({"Origin": "OURS", "Host": "evil.example"}, "RIGHT", 403),
        ({"Origin": "http://evil.example", "Host": "evil.example"}, "RIGHT", 403),
        ({"Origin": "OURS", "Host": "LOCALHOST"}, "RIGHT", 403),
    ],
)
async def test_a_stranger_injects_no_event(
    server: PageServer, client: aiohttp.ClientSession, seat: Seat, headers: dict[str, str], token: str, status: int
) -> None:
    known = {
        "OURS": server.origin, "https-OURS": server.origin.replace("http", "https"),
        "LOCALHOST": own_port(server, "localhost"),
    }  # fmt: skip
    sent = {name: known.get(value, value) for name, value in headers.items()}
    place = seat.token if token == "RIGHT" else token
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await client.ws_connect(f"{server.origin}/link/{place}", headers=sent)
    assert caught.value.status == status
    assert seat.events.empty()


@pytest.mark.parametrize("path", ["/link/", "/link", "/link/%00", "/link/../page/run.html", "/artifact//model.bin"])
async def test_without_a_token_there_is_no_seat(
    server: PageServer, client: aiohttp.ClientSession, seat: Seat, path: str
) -> None:
    url = URL(server.origin + path, encoded=True)
    async with client.get(url, headers={"Origin": server.origin}, allow_redirects=False) as answer:
        assert answer.status in (400, 403, 404)
    assert seat.events.empty()


@pytest.mark.parametrize("headers", [{}, {"Origin": "null"}, {"Origin": "http://evil.example"}])
async def test_a_post_from_another_site_writes_nothing(
    server: PageServer, client: aiohttp.ClientSession, seat: Seat, tmp_path: Path, headers: dict[str, str]
) -> None:
    async with client.post(f"{server.origin}/outputs/{seat.token}/last/0", data=b"x", headers=headers) as answer:
        assert answer.status == 403
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["/page/KEY/run.html", "/artifact/TOKEN/model.bin"])
async def test_another_name_for_this_address_is_refused(
    server: PageServer, client: aiohttp.ClientSession, seat: Seat, path: str
) -> None:
    for host in ("evil.example", own_port(server, "evil.example"), own_port(server, "localhost"), ""):
        async with client.get(full(server, seat, path), headers={"Host": host}) as answer:
            assert answer.status in (400, 403), host
    async with client.get(full(server, seat, path)) as answer:
        assert answer.status == 200, "it is there under its own name"


async def test_a_stranger_with_the_token_cannot_take_a_seat_that_is_taken(
    server: PageServer, client: aiohttp.ClientSession, seat: Seat
) -> None:
    ours, url = {"Origin": server.origin}, f"{server.origin}/link/{seat.token}"
    async with client.ws_connect(url, headers=ours) as page:
        await page.receive_json()
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await client.ws_connect(url, headers=ours)
        assert caught.value.status == 409
        await page.send_str(ALIVE)
        assert isinstance(await asyncio.wait_for(seat.events.get(), 10), Alive), "who sat there still does"


async def test_the_pages_own_reconnect_finds_its_seat(
    server: PageServer, client: aiohttp.ClientSession, seat: Seat
) -> None:
    """As link.js does it: again and again until it is let in."""
    ours, url = {"Origin": server.origin}, f"{server.origin}/link/{seat.token}"
    async with client.ws_connect(url, headers=ours) as page:
        await page.receive_json()
    for _ in range(200):
        try:
            again = await client.ws_connect(url, headers=ours)
            break
        except aiohttp.WSServerHandshakeError as error:
            assert error.status == 409
            await asyncio.sleep(0.05)
    assert (await again.receive_json())["event"] == "probe"
    await again.send_str(ALIVE)
    assert isinstance(await asyncio.wait_for(seat.events.get(), 10), Alive)
    await again.close()


@pytest.mark.parametrize("sent", ["binary", "too long", "deep"])
async def test_a_frame_that_is_no_event_ends_the_round(
    server: PageServer, client: aiohttp.ClientSession, seat: Seat, sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_server, "_LARGEST_FRAME_BYTES", 10_000)
    async with client.ws_connect(f"{server.origin}/link/{seat.token}", headers={"Origin": server.origin}) as link:
        await link.receive_json()
        if sent == "binary":
            await link.send_bytes(b"\x00\x01")
        else:
            await link.send_str("x" * 20_000 if sent == "too long" else "[" * 4000)
        event = await asyncio.wait_for(seat.events.get(), 10)
        assert isinstance(event, Failed) and event.code == "protocol"
        assert "Traceback" not in event.reason and len(event.reason) < 300


@pytest.mark.parametrize(
    "path",
    [
        "/artifact/TOKEN/../secret.txt", "/artifact/TOKEN/%2e%2e/secret.txt", "/artifact/TOKEN/..%2fsecret.txt",
        "/artifact/TOKEN/%2e%2e%2fsecret.txt", "/artifact/TOKEN/..%5csecret.txt", "/artifact/TOKEN/link",
        "/artifact/TOKEN/up/secret.txt", "/artifact/TOKEN/loop", "/artifact/TOKEN/a%00b", "/artifact/TOKEN//etc/passwd",
        "/artifact/TOKEN/%2fetc%2fpasswd", "/artifact/TOKEN/model.bin/..", "/artifact/TOKEN/",
        "/artifact/TOKEN/%252e%252e/secret.txt", "/artifact/TOKEN/" + "a" * 5000,
        "/page/KEY/../../pyproject.toml", "/page/KEY/%2e%2e/pyproject.toml", "/page/KEY/..%2fpyproject.toml",
        "/page/KEY//etc/passwd", "/page/KEY/%2fetc%2fpasswd", "/page/KEY/..%5cpyproject.toml", "/page/KEY/",
        "/page/KEY/backends", "/page/", "/page/run.html", "/page//run.html", "/page/GUESS/run.html",
        "/page/%2e/run.html", "/page/KEYS/run.html", "/page/../browser_assets/run.html", "/page/key/run.html",
    ],
)  # fmt: skip
async def test_no_path_leads_outside_or_past_the_key(
    server: PageServer, client: aiohttp.ClientSession, seat: Seat, path: str
) -> None:
    url = URL(full(server, seat, path), encoded=True)
    async with client.get(url, allow_redirects=False) as answer:
        body = await answer.read()
        assert answer.status in (400, 403, 404), answer.status
        assert b"Traceback" not in body and b"[project]" not in body and b"root:" not in body and body != b"no"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
async def test_other_methods_are_refused(
    server: PageServer, client: aiohttp.ClientSession, seat: Seat, method: str
) -> None:
    for path in ("/page/KEY/run.html", "/artifact/TOKEN/model.bin", "/outputs/TOKEN/last/0", "/lobby/TOKEN"):
        async with client.request(method, full(server, seat, path), headers={"Origin": server.origin}) as answer:
            assert answer.status in (400, 403, 404, 405), (method, path)
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_huge_headers_are_refused_and_the_server_lives_on(
    server: PageServer, client: aiohttp.ClientSession, seat: Seat
) -> None:
    async with client.get(server.page_url("run.html"), headers={"X-Long": "x" * 100_000}) as answer:
        assert answer.status == 400
    async with client.get(server.page_url("run.html")) as answer:
        assert answer.status == 200


async def test_outputs_have_a_bound_over_all_of_a_round(
    server: PageServer, client: aiohttp.ClientSession, seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_server, "_LARGEST_OUTPUT_BYTES", 10)
    for index, status in ((0, 204), (1, 413), (2, 413)):
        url = f"{server.origin}/outputs/{seat.token}/last/{index}"
        async with client.post(url, data=b"123456", headers={"Origin": server.origin}) as answer:
            assert answer.status == status
