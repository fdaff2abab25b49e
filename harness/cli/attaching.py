"""What `attach` adds to SELECTION: the devices, where they come in, how long they are waited for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import Several

if TYPE_CHECKING:
    from harness.execute.doors import Reception

_FILE = click.Path(dir_okay=False, path_type=Path)
_OPTIONS = [
    click.option("--device", type=Several(), multiple=True, help="Names of devices, a URL each; default: one unnamed."),
    click.option(
        "--listen", metavar="HOST[:PORT]", help="Also beyond loopback: 0.0.0.0:8443. 127.0.0.1:PORT fixes the port."
    ),
    click.option("--certificate", type=_FILE, help="PEM, for https: without it there is no WebGPU beyond loopback."),
    click.option("--key", type=_FILE, help="Its private key, PEM."),
    click.option("--wait", help="How long devices are waited for, before anything is measured; default: 10m."),
]  # fmt: skip
# What the web offers, where nobody asked for anything else.
_PLATFORMS = ("wasm", "webgpu", "webnn")


def attach_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def reception_of(options: dict[str, Any]) -> Reception:
    """Takes its own options out; raises UserMistake for an address, a file or a duration that cannot be one."""
    from harness.core.units import parse_duration
    from harness.execute.doors import Reception, door_of

    door = door_of(options.pop("listen"), options.pop("certificate"), options.pop("key"))
    wait = options.pop("wait")
    return Reception(door) if wait is None else Reception(door, parse_duration(wait) / 1e9)


def asked_of(asked: dict[str, Any], devices: tuple[str, ...], demo: dict[str, Any]) -> dict[str, Any]:
    """SELECTION with the devices among its browsers; without a model, the demo's on what a page can run."""
    from harness.plan.asked_versions import refuse_bad_device_name

    for name in devices:
        refuse_bad_device_name(name)
    if asked.keys().isdisjoint(("model", "family", "set", "all")):
        asked = {**demo, **asked, "hardware": asked.get("hardware", _PLATFORMS)}
    attached = tuple(f"attached@{name}" for name in devices) or ("attached",)
    others = asked.get("browser", ())
    return {"hardware": _PLATFORMS, **asked, "browser": (*attached, *([others] if isinstance(others, str) else others))}
