"""How a device gets to us: its URL, as a QR code where it can be reached over a network, and what stands in its way."""

import io
from collections.abc import Sequence
from urllib.parse import urlsplit

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def invitation_lines(device: str, urls: Sequence[str]) -> list[str]:
    """Lines for a terminal; never wrapped, or nobody could copy the URL."""
    first = urlsplit(urls[0])
    lines = [f"{device or 'any browser'}, open: {urls[0]}"]
    if first.hostname in _LOOPBACK:
        port = first.port
        forward = f"adb reverse tcp:{port} tcp:{port}"
        return [*lines, f"  a phone on a cable: {forward}, then the same URL there; over a network: --listen"]
    lines += [f"  or: {url}" for url in urls[1:] if urlsplit(url).hostname not in _LOOPBACK]
    if first.scheme == "http":
        lines.append(
            "  http beyond loopback is no secure context: no WebGPU, no WebNN, no threads, a coarse clock;"
            " give --certificate and --key, or forward the port"
        )
    return [*lines, *qr_lines(urls[0])]


def qr_lines(text: str) -> list[str]:
    """A QR code in half blocks, light on dark as most terminals are; cameras read both."""
    try:
        import segno
    except ImportError:
        return ["  (no QR code: pip install 'model-benchmark-harness[browser]')"]
    drawn = io.StringIO()
    segno.make_qr(text, error="l").terminal(drawn, border=2, compact=True)
    return drawn.getvalue().splitlines()
