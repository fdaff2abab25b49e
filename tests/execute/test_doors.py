"""Where the page server lets in whom: only what was asked for, by the names it gave itself, with a real certificate."""

import socket
import ssl
import subprocess
from pathlib import Path

import aiohttp
import psutil
import pytest

from harness.core.errors import UserMistake
from harness.execute.doors import Door, door_of, is_loopback, is_ours, origin, origins_of
from harness.execute.page_server import PageServer


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that signed itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("0.0.0.0", "0.0.0.0", 0),
        ("0.0.0.0:8443", "0.0.0.0", 8443),
        ("127.0.0.1:9000", "127.0.0.1", 9000),
        ("[::]:8443", "::", 8443),
        ("[::1]", "::1", 0),
        ("My-Box.local:80", "my-box.local", 80),
    ],
)
def test_an_address_to_listen_at(listen: str, host: str, port: int) -> None:
    door = door_of(listen, None, None)
    assert door is not None and (door.host, door.port, door.scheme) == (host, port, "http")


@pytest.mark.parametrize(
    "listen",
    ["", ":80", "a:99999", "a:-1", "a:b", "http://a", "a/b", "1.2.3", "300.1.1.1", "[::1", "::1]:80", "[zz]", "a b",
     "a\nb", "x" * 300, "a..", "-a", "[fe80::1%eth0]:1", "a:80:80"],
)  # fmt: skip
def test_what_is_no_address_is_a_mistake(listen: str) -> None:
    with pytest.raises(UserMistake) as caught:
        door_of(listen, None, None)
    assert caught.value.code == "bad_listen" and len(caught.value.message) < 200


def test_a_certificate_that_is_none_is_a_mistake_and_asks_nobody(secure: tuple[Path, Path], tmp_path: Path) -> None:
    certificate, key = secure
    (tmp_path / "text").write_text("no certificate")
    (tmp_path / "other").write_bytes(certificate.read_bytes() + b"\0")
    locked = tmp_path / "locked.pem"
    command = ["openssl", "rsa", "-aes256", "-passout", "pass:secret", "-in", str(key), "-out", str(locked)]
    subprocess.run(command, check=True, capture_output=True)
    for bad in ((tmp_path / "none", key), (tmp_path / "text", key), (certificate, certificate), (certificate, locked)):
        with pytest.raises(UserMistake) as caught:
            door_of("localhost", *bad)
        assert caught.value.code == "bad_certificate", bad
    for half in ((certificate, None), (None, key)):
        with pytest.raises(UserMistake) as caught:
            door_of("localhost", *half)
        assert caught.value.code == "half_a_certificate"
    with pytest.raises(UserMistake) as caught:
        door_of(None, certificate, key)
    assert caught.value.code == "no_listen"


def test_an_origin_is_written_as_browsers_write_it() -> None:
    assert origin("http", "::1", 8080) == "http://[::1]:8080"
    assert origin("https", "a.example", 443) == "https://a.example"
    assert origin("http", "a.example", 443) == "http://a.example:443"


def test_a_wildcard_is_called_by_every_address_of_this_machine_and_its_name() -> None:
    addresses = {
        each.address for several in psutil.net_if_addrs().values() for each in several if each.family == socket.AF_INET
    }
    found = origins_of(Door("0.0.0.0"), 81)
    assert {f"http://{address}:81" for address in addresses} <= set(found)
    assert len(found) <= len(addresses) + 1 and not any("[" in each for each in found)
    assert origins_of(Door("box"), 81) == ("http://box:81",)
    if any(not is_loopback(address) for address in addresses):
        assert not is_loopback(found[0].removeprefix("http://").removesuffix(":81")), (
            "one that a phone can reach, first"
        )


def test_what_is_ours() -> None:
    assert is_loopback("127.0.0.2") and is_loopback("::1") and is_loopback("localhost") and not is_loopback("10.1.2.3")
    assert is_ours("127.0.0.1") and not is_ours("203.0.113.9") and not is_ours("")


async def test_a_door_is_open_only_where_it_was_asked_for(secure: tuple[Path, Path]) -> None:
    """TLS, with the page behind a key, and every other name refused."""
    before = listeners()
    server = PageServer(door_of("127.0.0.2", *secure))
    await server.open()
    try:
        (outside,) = server.outside_urls("run.html")
        assert {address for address, _ in listeners() - before} == {"127.0.0.1", "127.0.0.2"}
        own = outside.split("/page/")[0]
        trusting = ssl.create_default_context(cafile=str(secure[0]))
        trusting.check_hostname = False  # its name is not this address
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as client:
            for host, status in ((None, 200), ("evil.example", 403), (server.origin.split("//")[1], 403)):
                async with client.get(outside, headers={"Host": host} if host else {}) as answer:
                    assert answer.status == status, host
            async with client.get(f"{own}/page/guess/run.html") as answer:
                assert answer.status == 404
            for path in ("/lobby/guess", "/link/guess"):
                for sent, status in ((own, 404), (server.origin, 403), ("http://evil.example", 403)):
                    async with client.get(own + path, headers={"Origin": sent}) as answer:
                        assert answer.status == status, (path, sent)
    finally:
        await server.close()
    assert listeners() == before


async def test_without_a_door_there_is_nothing_but_loopback() -> None:
    before = listeners()
    server = PageServer()
    await server.open()
    assert {address for address, _ in listeners() - before} == {"127.0.0.1"}
    assert server.outside_urls("attach.html") == (server.page_url("attach.html"),)
    await server.close()


async def test_a_port_that_is_taken_is_a_mistake_and_nothing_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        before = listeners()
        with pytest.raises(UserMistake) as caught:
            await PageServer(Door("127.0.0.1", taken.getsockname()[1])).open()
        assert caught.value.code == "cannot_listen"
        assert listeners() == before


def listeners() -> set[tuple[str, int]]:
    found = psutil.Process().net_connections(kind="inet")
    return {(each.laddr.ip, each.laddr.port) for each in found if each.status == psutil.CONN_LISTEN}
