"""Places in the lobby: who gets one, who keeps it, what a stranger can do there; and what a device is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from harness.core.events import Failed
from harness.core.visits import Visitor
from harness.execute.attach_driver import AttachDriver, told_version
from harness.execute.doors import Reception
from harness.execute.drivers import Tab
from harness.execute.executor import Invitation, Probes
from harness.execute.lobby import Lobby, Place
from harness.execute.page import PageExecutor
from harness.execute.page_server import PageServer
from tests.making import make_case

VISITOR: dict[str, Any] = {
    "event": "visitor", "page": "a1", "user_agent": "Mozilla/5.0 Firefox/153.0", "brands": [], "screen": "390×844 @3",
    "visibility": "visible", "secure": True, "isolated": True, "webgpu": False, "webnn": False,
}  # fmt: skip
SOON_S = 5
_Socket = aiohttp.ClientWebSocketResponse


@pytest_asyncio.fixture
async def place(server: PageServer) -> AsyncIterator[Place]:
    invited = server.lobby.invite(Invitation("phone", ("one", "two"), 4))
    invited.away_s = 0.3
    yield invited


async def enter(server: PageServer, client: aiohttp.ClientSession, place: Place, **changes: Any) -> _Socket:
    url, ours = f"{server.origin}/lobby/{place.token}", {"Origin": server.origin}
    socket = await client.ws_connect(url, headers=ours)
    await socket.send_str(json.dumps({**VISITOR, **changes}))
    return socket


async def told(socket: _Socket) -> dict[str, Any]:
    found: dict[str, Any] = await socket.receive_json(timeout=SOON_S)
    return found


async def test_a_visitor_is_told_all_and_told_it_again_when_it_comes_back(
    server: PageServer, client: aiohttp.ClientSession, place: Place
) -> None:
    driver = AttachDriver(server.lobby)
    socket = await enter(server, client, place)
    first = await told(socket)
    assert (first["event"], first["device"], first["cases"], first["rounds"]) == ("state", "phone", ["one", "two"], 4)
    assert first["order"] is None and first["told"] == [] and not first["over"]
    place.what = "one"
    tab = await driver.open(attached("phone"), None, "http://x/page/key/run.html#token")
    order = (await told(socket))["order"]
    assert order == {"url": "run.html#token", "what": "one", "number": 1}
    assert tab.pid is None and tab.provenance["device"] == "phone" and tab.provenance["rounds_before"] == 0
    await socket.close()
    again = await enter(server, client, place)
    assert (await told(again))["order"] == order, "the same page goes on with the same Round"
    assert not tab.ended.done()
    await driver.end(tab)
    assert (await told(again))["order"] is None
    await driver.close()
    last = await told(again)
    assert last["over"] and (await again.receive(timeout=SOON_S)).type == aiohttp.WSMsgType.CLOSE


async def test_another_browser_is_told_that_the_place_is_taken(
    server: PageServer, client: aiohttp.ClientSession, place: Place
) -> None:
    socket = await enter(server, client, place)
    await told(socket)
    other = await enter(server, client, place, page="b2")
    assert await told(other) == {"event": "taken"}
    assert (await other.receive(timeout=SOON_S)).type == aiohttp.WSMsgType.CLOSE
    assert place.visitor is not None and place.visitor.page == "a1" and place.here.is_set()
    await place.tell()
    assert (await told(socket))["event"] == "state", "who sat there still does"


async def test_a_reload_loses_its_round_honestly(
    server: PageServer, client: aiohttp.ClientSession, place: Place
) -> None:
    driver = AttachDriver(server.lobby)
    socket = await enter(server, client, place)
    tab = await driver.open(attached("phone"), None, "http://x/run.html#token")
    await socket.close()
    reloaded = await enter(server, client, place, page="c3")
    assert (await told(reloaded))["order"] is None
    assert_ended(tab, "page_left", "a second time")
    await driver.end(tab)


async def test_a_device_that_goes_away_is_waited_for_and_then_shortly(
    server: PageServer, client: aiohttp.ClientSession, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.execute.attach_driver._SHORTLY_S", 0.05)
    driver = AttachDriver(server.lobby)
    socket = await enter(server, client, place)
    tab = await driver.open(attached("phone"), None, "http://x/run.html#token")
    await socket.close()
    assert_ended(tab, "device_gone", "did not come back within 0.3 s", await asyncio.wait_for(tab.ended, SOON_S))
    await driver.end(tab)
    place.away_s = 1000
    absent = await driver.open(attached("phone"), None, "http://x/run.html#next")
    assert_ended(absent, "device_gone", "was not there")
    await driver.end(absent)
    returned = await enter(server, client, place)
    await told(returned)
    back = await driver.open(attached("phone"), None, "http://x/run.html#third")
    assert not back.ended.done() and not place.missing, "it is as welcome as before"
    await driver.end(back)


@pytest.mark.parametrize(
    "sent",
    [
        "", "{", "[" * 5000, "null", "x" * 20_000, b"\x00\x01",
        *({**VISITOR, name: value} for name, value in {
            "event": "state", "page": "../x", "screen": "x" * 101, "user_agent": "x" * 1001, "brands": ["x"] * 11,
            "secure": "perhaps", "more": 1,
        }.items()),
        {**VISITOR, "brands": ["x" * 101]}, {**VISITOR, "page": ""}, {"event": "visitor"},
    ],
)  # fmt: skip
async def test_who_does_not_say_who_it_is_gets_no_place(
    server: PageServer, client: aiohttp.ClientSession, place: Place, sent: Any
) -> None:
    url, ours = f"{server.origin}/lobby/{place.token}", {"Origin": server.origin}
    async with client.ws_connect(url, headers=ours) as socket:
        if isinstance(sent, bytes):
            await socket.send_bytes(sent)
        else:
            await socket.send_str(sent if isinstance(sent, str) else json.dumps(sent))
        assert (await socket.receive(timeout=SOON_S)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    assert place.visitor is None and not place.here.is_set()


async def test_a_visitor_that_talks_on_is_shown_out(
    server: PageServer, client: aiohttp.ClientSession, place: Place
) -> None:
    socket = await enter(server, client, place)
    await told(socket)
    await socket.send_str(json.dumps(VISITOR))
    assert (await socket.receive(timeout=SOON_S)).type == aiohttp.WSMsgType.CLOSE
    assert socket.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION


@pytest.mark.parametrize(
    ("origin", "token", "status"),
    [("OURS", "guess", 404), (None, "RIGHT", 403), ("http://evil.example", "RIGHT", 403), ("null", "RIGHT", 403)],
)
async def test_a_stranger_does_not_even_get_in(
    server: PageServer, client: aiohttp.ClientSession, place: Place, origin: str | None, token: str, status: int
) -> None:
    headers = {"Origin": server.origin if origin == "OURS" else origin} if origin else {}
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await client.ws_connect(f"{server.origin}/lobby/{place.token if token == 'RIGHT' else token}", headers=headers)
    assert caught.value.status == status and place.visitor is None


async def test_arrivals_name_who_did_not_come(server: PageServer, client: aiohttp.ClientSession, place: Place) -> None:
    server.lobby.invite(Invitation("tablet", ("one",), 1))
    came: list[str] = []
    socket = await enter(server, client, place)
    missing = await server.lobby.arrivals(0.5, lambda each: came.append(each.name))
    assert came == ["phone"] and [each.name for each in missing] == ["tablet"]
    await socket.close()


def test_a_place_that_nobody_invited_is_none() -> None:
    assert Lobby().place("phone") is None


UA = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
MAC, LINUX = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ", "Mozilla/5.0 (X11; Linux x86_64) "
WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko) "


@pytest.mark.parametrize(
    ("user_agent", "brands", "name", "version"),
    [
        (f"{UA}Chrome/156.0.0.0 Safari/537.36", (), "Chromium", "156.0.0.0"),
        (f"{UA}Chrome/156.0.0.0 Safari/537.36 Edg/156.0.1.2", (), "Edge", "156.0.1.2"),
        ("", ("Not.A/Brand 8.0", "Chromium 156.0.8078.108"), "Chromium", "156.0.8078.108"),
        ("", ("Chromium 156.1", "Not)A;Brand 99", "Google Chrome 156.1.2"), "Google Chrome", "156.1.2"),
        (f"{MAC}{WEBKIT}Version/26.1 Safari/605.1.15", (), "Safari", "26.1"),
        (f"{LINUX}{WEBKIT}Version/60.5 Safari/605.1.15", (), "WebKit", "605.1.15"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) {WEBKIT}Version/26.1 Mobile/15E148 Safari/604.1", (),
         "Safari", "26.1"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) {WEBKIT}CriOS/156.0 Mobile/15E148 Safari/604.1", (),
         "Chrome on iOS", "156.0"),
        ("something else", (), None, None),
    ],
)  # fmt: skip
def test_a_browser_is_what_it_says_and_webkit_on_linux_is_not_safari(
    user_agent: str, brands: tuple[str, ...], name: str | None, version: str | None
) -> None:
    visitor = Visitor.model_validate({**VISITOR, "user_agent": user_agent, "brands": brands})
    assert told_version(visitor) == (name, version)


async def test_a_device_that_is_away_is_waited_for_between_rounds_once(
    server: PageServer, client: aiohttp.ClientSession, place: Place
) -> None:
    executor = PageExecutor(Probes(lambda _: {}), reception=Reception(wait_s=0.5))
    executor._server = server
    case, said = make_case(platform="wasm", browser="attached", browser_version="phone"), list[str]()
    waiting = asyncio.create_task(executor.wait_for_return(case, said.append))
    await asyncio.sleep(0.05)
    socket = await enter(server, client, place)
    await asyncio.wait_for(waiting, SOON_S)
    assert len(said) == 1 and "phone is away" in said[0] and not place.given_up
    await socket.close()
    await asyncio.wait_for(place.gone.wait(), SOON_S)
    await executor.wait_for_return(case, said.append)
    assert place.given_up and len(said) == 2
    await executor.wait_for_return(case, said.append)
    assert len(said) == 2, "not before every Round again"
    await enter(server, client, place)
    await asyncio.wait_for(place.here.wait(), SOON_S)
    assert not place.given_up


def attached(device: str) -> Any:
    from harness import catalog

    return catalog.browsers()["attached"].model_copy(update={"at": device})


def assert_ended(tab: Tab, code: str, word: str, said: Failed | None = None) -> None:
    failed = said or tab.ended.result()
    assert failed.code == code and word in failed.reason
