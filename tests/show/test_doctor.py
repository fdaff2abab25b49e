"""What `harness doctor` shows: facts, holes with what fills them, clocks side by side."""

from typing import Any

from rich.console import Console

from harness.examine import calibrated
from harness.show.doctor import doctor_lines

MACHINE = {
    "cpu": "A CPU", "cores_physical": 2, "memory_bytes": 24_000_000_000, "system": "Linux", "release": "6",
    "packages": {"torch": "2.13.0"},
}  # fmt: skip


def samples(clock: str, *durations_ns: int, runs: int = 1) -> dict[str, Any]:
    return {
        "event": "samples", "phase": "sample", "clock": clock, "runs_per_sample": runs,
        "durations_ns": list(durations_ns),
    }  # fmt: skip


def told(cost_ns: int) -> list[dict[str, Any]]:
    slope = [samples("slope", 100_000_000 + runs * cost_ns, runs=runs) for runs in (50, 100, 150, 200, 250)]
    return [
        samples("await", 100_000_000), samples("submit", 20_000), *slope, samples("timestamp", cost_ns - 100_000)
    ]  # fmt: skip


CALIBRATION = {
    "wait_floor_ns": 100_000_000, "once": told(14_000_000), "twice": told(28_000_000), "right": True,
    "no_timestamps": None,
}  # fmt: skip


def browser(name: str, **changes: Any) -> dict[str, Any]:
    provenance = {
        "isolated": True, "clock_step_ns": 20_000, "wasm": {"threads": name != "webkitgtk"},
        "webgpu": {"available": True, "software": True, "adapter": {"description": "SwiftShader"}},
        "browser": {"version": "1.2", "path": f"/bin/{name}", "flag_sets": {"webgpu": {"name": "swiftshader"}}},
    }  # fmt: skip
    fields = {"name": name, "outcome": "ok", "reason": None, "install": f"apt install {name}", "gpu_clocks": None}
    return {**fields, "provenance": provenance, **changes}


def shown(*browsers: dict[str, Any], platforms: tuple[dict[str, Any], ...] = ()) -> str:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(doctor_lines({"machine": MACHINE, "platforms": list(platforms), "browsers": list(browsers)}))
    return captured.get()


def test_a_calibration_is_read_by_the_same_rule_as_a_round() -> None:
    found = calibrated(CALIBRATION)
    assert found is not None and found["verdict"] == "slope" and found["right"] is True
    assert found["all_ms"] == {"submit": 0.02, "await": 100, "slope": 14, "timestamp": 13.9}
    assert found["twice_ms"] == 28


def test_a_page_may_say_anything_of_its_clocks() -> None:
    assert calibrated(None) is None
    assert calibrated({"reason": "the device was lost"}) == {"reason": "the device was lost"}
    nonsenses: list[Any] = [3, [], {"once": 1}, {**CALIBRATION, "twice": [{"event": "hello"}]}]
    for nonsense in nonsenses:
        found = calibrated(nonsense)
        assert found is not None and "cannot be read" in found["reason"]


def test_clocks_stand_side_by_side() -> None:
    text = shown(browser("firefox", gpu_clocks=calibrated(CALIBRATION)))
    line = next(line for line in text.splitlines() if line.startswith("firefox") and "slope" in line)
    for part in ("20.0 µs", "100 ms", "14.0 ms", "13.9 ms", "28.0 ms"):
        assert part in line
    assert "SwiftShader (software), flags: swiftshader" in text
    wrong = calibrated({**CALIBRATION, "right": False})
    assert "WRONG" in shown(browser("firefox", gpu_clocks=wrong))
    assert "the device was lost" in shown(browser("firefox", gpu_clocks={"reason": "the device was lost"}))


def test_what_is_not_here_says_once_how_to_have_it() -> None:
    gone = {"outcome": "unsupported", "reason": "there is no such", "provenance": None, "install": "install Edge"}
    row = {"platform": "wasm", "backend": "ort_web", "available": False, "reason": "x", "software": None}
    text = shown(
        browser("webkitgtk"), browser("edge", **gone), browser("edge-beta", **gone),
        browser("safari", **{**gone, "install": "a Mac"}), browser("chrome", **{**gone, "outcome": "failed"}),
        platforms=({**row, "browser": "edge"},),
    )  # fmt: skip
    assert "not here: edge, edge-beta; install Edge" in text and "not here: safari; there is no such" in text
    assert "failed: chrome; there is no such" in text and "one only" in text
    assert not [line for line in text.splitlines() if line.startswith("wasm")]
