"""What `harness doctor` found, for people: what can run, what cannot and what would mend it."""

from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.core.noise import noise_lines
from harness.show.table import duration


def doctor_lines(found: dict[str, Any]) -> RenderableType:
    """The machine in a line, a table of platforms, a line per browser."""
    machine = found["machine"]
    memory = f"{machine['memory_bytes'] / 1e9:.0f} GB"
    head = f"{machine['cpu']}, {machine['cores_physical']} cores, {memory}, {machine['system']} {machine['release']}"
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("platform", "backend", "browser", "", "why not, and what would mend it"):
        table.add_column(column)
    there = {each["name"] for each in found["browsers"] if each["outcome"] != "unsupported"}
    for row in found["platforms"]:
        if there and row["browser"] is not None and row["browser"] not in there:
            continue  # its one line below says how to install it
        state = "[green]can run[/green]" if row["available"] else "[red]cannot[/red]"
        if row["software"]:
            state += " [yellow](software)[/yellow]"
        reason = escape(str(row["reason"] or ""))
        table.add_row(row["platform"], row["backend"], row["browser"] or "", state, reason)
    browsers = [Text(f"{each['name']}: {_browser(each)}") for each in found["browsers"]]
    noise = [Text(line, style="yellow") for line in noise_lines(machine)]
    return Group(Text(head), Text(packages, style="dim"), *noise, Text(), table, Text(), *browsers)


def _browser(each: dict[str, Any]) -> str:
    if each["outcome"] != "ok":
        return f"{each['outcome']}: {each['reason']}"
    said = each["provenance"]
    step_us = (said.get("clock_step_ns") or 0) / 1000
    browser = said.get("browser") or {}
    parts = [f"{browser.get('version')} at {browser.get('path')}" if browser else ""]
    parts += ["cross-origin isolated" if said.get("isolated") else "not isolated", f"clock step {step_us:g} µs"]
    gpu = said.get("webgpu")
    if isinstance(gpu, dict):
        adapter = gpu.get("adapter") or {}
        name = adapter.get("description") or adapter.get("device") or adapter.get("vendor") or gpu.get("reason")
        name = name or "an adapter without a name"
        parts.append(f"WebGPU: {name}{' (software)' if gpu.get('software') else ''}")
    if clocks := each.get("gpu_clocks"):
        parts.append(_clocks(clocks))
    nn = said.get("webnn")
    if isinstance(nn, dict):
        made = [device for device, answer in nn.get("contexts", {}).items() if answer.get("ok")]
        parts.append(f"WebNN: contexts for {', '.join(made)} (hints, not facts)" if made else "no WebNN")
    return ", ".join(part for part in parts if part)


def _clocks(clocks: dict[str, Any]) -> str:
    """`its clocks on a known kernel: submit 90 µs, await 104 ms, slope 5.9 ms, timestamp 5.7 ms; believed: slope`."""
    if "reason" in clocks:
        return f"its clocks could not be calibrated: {clocks['reason']}"
    told = [f"{name} {duration(value)}" for name, value in clocks["all_ms"].items() if value is not None]
    wrong = "" if clocks["right"] else " (its result was WRONG)"
    return f"its clocks on a known kernel{wrong}: {', '.join(told)}; believed: {clocks['verdict']}"
