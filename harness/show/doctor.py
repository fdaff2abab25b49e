"""What `harness doctor` found, for people: what can run, what cannot and what would mend it."""

from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.core.noise import noise_lines
from harness.show.table import duration, or_dash


def doctor_lines(found: dict[str, Any]) -> RenderableType:
    """The machine in a line; tables of platforms, browsers and what GPUs' clocks are worth; what is not installed."""
    machine = found["machine"]
    memory = f"{machine['memory_bytes'] / 1e9:.0f} GB"
    head = f"{machine['cpu']}, {machine['cores_physical']} cores, {memory}, {machine['system']} {machine['release']}"
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    noise = [Text(line, style="yellow") for line in noise_lines(machine)]
    there = [each for each in found["browsers"] if each["outcome"] == "ok"]
    parts: list[RenderableType] = [_platforms(found, {each["name"] for each in found["browsers"]})]
    if there:
        parts += [_browsers(there)]
    if calibrated := [each for each in there if each["gpu_clocks"]]:
        parts += [_clocks(calibrated)]
    apart = [_environment(each) for each in found.get("environments", ())]
    spaced = [part for each in parts for part in (Text(), each)]
    return Group(
        Text(head), Text(packages, style="dim"), *noise, *spaced, Text(), *_not_there(found["browsers"]), *apart
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    return table


def _platforms(found: dict[str, Any], browsers: set[str]) -> Table:
    table = _table("platform", "backend", "browser", "", "why not, and what would mend it")
    refused = {each["name"] for each in found["browsers"] if each["outcome"] == "unsupported"}
    for row in found["platforms"]:
        if row["browser"] in refused and refused != browsers:
            continue  # its one line below says how to install it
        state = "[green]can run[/green]" if row["available"] else "[red]cannot[/red]"
        if row["software"]:
            state += " [yellow](software)[/yellow]"
        reason = escape(str(row["reason"] or ""))
        table.add_row(row["platform"], row["backend"], row["browser"] or "", state, reason)
    return table


def _browsers(browsers: list[dict[str, Any]]) -> Table:
    """What a page in each found out."""
    table = _table("browser", "version", "isolated", "clock step", "wasm threads", "WebGPU", "WebNN", "path")
    table.columns[-1].overflow = "fold"
    for each in browsers:
        said = each["provenance"]
        browser = said.get("browser") or {}
        threads = "yes" if (said.get("wasm") or {}).get("threads") else "[yellow]one only[/yellow]"
        step_us = (said.get("clock_step_ns") or 0) / 1000
        table.add_row(
            each["name"], escape(str(browser.get("version"))),
            "yes" if said.get("isolated") else "[yellow]no[/yellow]", f"{step_us:g} µs", threads,
            escape(_webgpu(said)), _webnn(said.get("webnn")), escape(str(browser.get("path"))),
        )  # fmt: skip
    return table


def _webgpu(said: dict[str, Any]) -> str:
    gpu = said.get("webgpu")
    if not isinstance(gpu, dict) or not gpu.get("available"):
        return "no"
    adapter = gpu["adapter"] if isinstance(gpu.get("adapter"), dict) else {}
    name = adapter.get("description") or adapter.get("device") or adapter.get("vendor") or "an adapter without a name"
    flags = ((said.get("browser") or {}).get("flag_sets") or {}).get("webgpu") or {}
    chosen = f", flags: {flags['name']}" if flags.get("name") else ""
    return f"{name}{' (software)' if gpu.get('software') else ''}{chosen}"


def _webnn(nn: Any) -> str:
    contexts = nn.get("contexts") if isinstance(nn, dict) else None
    answers = contexts if isinstance(contexts, dict) else {}
    made = [str(device) for device, answer in answers.items() if isinstance(answer, dict) and answer.get("ok")]
    return f"{', '.join(made)} (hints)" if made else "no"


def _clocks(browsers: list[dict[str, Any]]) -> RenderableType:
    """What a GPU's clocks make of the same kernel: those that end with the work should agree."""
    names = ("submit", "await", "slope", "timestamp")
    table = _table("GPU clocks on a known kernel", *names, "wait for nothing", "twice the work", "believed")
    for each in browsers:
        clocks = each["gpu_clocks"]
        if "reason" in clocks:
            table.add_row(each["name"], f"[red]{escape(clocks['reason'])}[/red]")
            continue
        told = [or_dash(clocks["all_ms"][name], duration) for name in names]
        believed = str(clocks["verdict"]) if clocks["right"] else "[red]its result is WRONG[/red]"
        twice = or_dash(clocks["twice_ms"], duration)
        table.add_row(each["name"], *told, or_dash(clocks["wait_floor_ms"], duration), twice, believed)
    return table


def _environment(each: dict[str, Any]) -> Text:
    state = f"its environment is {each['python']}" if each["python"] else f"not here; {each['install']}"
    return Text(f"exporter {each['exporter']}: {state}")


def _not_there(browsers: list[dict[str, Any]]) -> list[Text]:
    """What was not found or did not start, those with the same cure in one line."""
    failed = [each for each in browsers if each["outcome"] == "failed"]
    lines = [Text(f"failed: {each['name']}; {each['reason']}", style="red") for each in failed]
    cures: dict[str, list[dict[str, Any]]] = {}
    for each in browsers:
        if each["outcome"] == "unsupported":
            cures.setdefault(each["install"], []).append(each)
    for cure, absent in cures.items():
        names = ", ".join(each["name"] for each in absent)
        lines.append(Text(f"not here: {names}; {cure if len(absent) > 1 else absent[0]['reason']}"))
    return lines
