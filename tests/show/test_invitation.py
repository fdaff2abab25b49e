"""What a person is told who is to open a URL on a device."""

import pytest

from harness.show.invitation import invitation_lines, qr_lines

KEY = "/page/0123456789abcdef/attach.html#0123456789abcdef0123456789abcdef"


def test_on_loopback_there_is_the_way_for_a_phone_on_a_cable_and_no_code_that_leads_nowhere() -> None:
    lines = invitation_lines("phone", [f"http://127.0.0.1:4711{KEY}"])
    assert lines[0] == f"phone, open: http://127.0.0.1:4711{KEY}"
    assert "adb reverse tcp:4711 tcp:4711" in lines[1] and "--listen" in lines[1] and len(lines) == 2


def test_over_a_network_there_is_a_code_and_every_other_name() -> None:
    urls = [f"https://{host}:8443{KEY}" for host in ("192.168.1.2", "127.0.0.1", "box")]
    lines = invitation_lines("", urls)
    assert lines[0] == f"any browser, open: {urls[0]}" and lines[1] == f"  or: {urls[2]}"
    assert lines[2:] == qr_lines(urls[0])


def test_http_over_a_network_says_what_a_browser_then_hides() -> None:
    lines = invitation_lines("", [f"http://192.168.1.2:80{KEY}"])
    assert "no WebGPU" in lines[1] and "--certificate" in lines[1]


@pytest.mark.parametrize("length", [60, 120])
def test_a_code_is_square_and_fits_a_terminal(length: int) -> None:
    lines = qr_lines("x" * length)
    assert {len(line) for line in lines} == {len(lines[0])} and len(lines[0]) <= 60
    assert abs(2 * len(lines) - len(lines[0])) <= 1, "two rows to a line"
