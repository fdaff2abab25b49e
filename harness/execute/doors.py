"""Where pages may come in: at loopback always; elsewhere only when asked for, with TLS when given a certificate.

A door that is not loopback shows itself to whoever can reach it. So everything behind it needs a secret in its path or
its fragment, and a request must name us as we name ourselves (`origins_of`): that keeps out a page of somebody else's
whose name was bound to our address afterwards.
"""

import contextlib
import ipaddress
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.core.errors import UserMistake

_HINT = "--listen takes HOST[:PORT]: 0.0.0.0:8443, 127.0.0.1:9000, [::]:8443"
_DEFAULT_PORTS = {"http": 80, "https": 443}
# A name that resolves, or an address; what a browser could not write into its Host is none.
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
# Never sent to: asked of the system, which of our addresses it would use.
_ELSEWHERE = ("192.0.2.1", 9)


@dataclass(frozen=True)
class Door:
    """A second address that the page server listens at; port 0: one that is free."""

    host: str
    port: int = 0
    tls: ssl.SSLContext | None = None

    @property
    def scheme(self) -> str:
        return "http" if self.tls is None else "https"

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


@dataclass(frozen=True)
class Reception:
    """How devices get in, and how long one that was invited is waited for before the first timing."""

    door: Door | None = None
    wait_s: float = 600.0


def door_of(listen: str | None, certificate: Path | None, key: Path | None) -> Door | None:
    """The door that was asked for; raises UserMistake for an address or files that cannot be one."""
    if listen is None:
        if certificate or key:
            raise UserMistake("no_listen", "--certificate and --key are for --listen", "add --listen 0.0.0.0:8443")
        return None
    if (certificate is None) != (key is None):
        raise UserMistake("half_a_certificate", "--certificate and --key go together", "give both, as PEM files")
    host, port = _host_and_port(listen)
    return Door(host, port, _context(certificate, key) if certificate and key else None)


def origins_of(door: Door, port: int) -> tuple[str, ...]:
    """What pages behind this door may be called by, the one to print first: `https://host[:port]`."""
    return tuple(origin(door.scheme, host, port) for host in _names(door.host))


def origin(scheme: str, host: str, port: int) -> str:
    """As a browser writes it: IPv6 in brackets, no port where it is the scheme's own."""
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}" + ("" if port == _DEFAULT_PORTS[scheme] else f":{port}")


def is_loopback(address: str) -> bool:
    """Whether it is this machine's own loopback; a name is asked for what it means."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(address).is_loopback
    return address == "localhost"


def is_ours(address: str) -> bool:
    """Whether an address that a connection came from is one of this machine's."""
    return is_loopback(address) or address in _addresses()


def _host_and_port(listen: str) -> tuple[str, int]:
    wrong = UserMistake("bad_listen", f"{listen[:100]!r} is not an address to listen at", _HINT)
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?", listen)
    if found is None or int(found[3] or 0) > 65535:
        raise wrong
    host = (found[1] or found[2]).lower()
    if ":" in host or re.fullmatch(r"[0-9.]+", host):
        try:
            host = str(ipaddress.ip_address(host))
        except ValueError as error:
            raise wrong from error
    elif not _NAME.fullmatch(host):
        raise wrong
    return host, int(found[3] or 0)


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # else it would ask at the terminal
    except (OSError, ValueError) as error:  # SSLError is an OSError
        said = getattr(error, "strerror", None) or str(error) or "they do not fit together"
        raise UserMistake(
            "bad_certificate", f"cannot use {certificate} with {key}: {said}",
            "a certificate and its private key without a passphrase, both as PEM: see `mkcert` or `openssl req -x509`",
        ) from error  # fmt: skip
    return context


def _names(host: str) -> list[str]:
    """What a door can be called from outside; a wildcard by all addresses of this machine, and by its name."""
    if host not in ("0.0.0.0", "::"):
        return [host]
    found = [each for each in _addresses() if (":" in each) == (host == "::")]
    named = socket.gethostname().lower()
    first = _usual_address()
    found.sort(key=lambda each: (each != first, is_loopback(each)))
    return [*found, *([named] if _NAME.fullmatch(named) else [])]


def _addresses() -> list[str]:
    """Of this machine, without those that need a zone to be said."""
    found = [each for several in psutil.net_if_addrs().values() for each in several]
    addresses = [each.address for each in found if each.family in (socket.AF_INET, socket.AF_INET6)]
    return [each for each in dict.fromkeys(addresses) if "%" not in each and not each.startswith("fe80:")]


def _usual_address() -> str | None:
    """The address that this machine would use to speak to the world: a phone on the same network sees it too."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_ELSEWHERE)
        return str(probe.getsockname()[0])
    return None
