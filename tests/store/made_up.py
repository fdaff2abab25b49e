"""Made-up Cases, Runs and journal records for tests of what is behind `execute`; nobody measured these numbers."""

from typing import Any

from harness.core.events import Done, Hello, Note, Phase, Samples
from harness.core.nouns import Case, Model, Plan, PlannedCase, Policy
from harness.core.rounds import Round, Run, Verdict

Record = dict[str, Any]


def case(platform: str = "cpu", **changes: Any) -> Case:
    model = Model(
        name="bert", kind="architecture", identity="bert", architecture="bert", weights="random", family="text_encoder"
    )
    fields: dict[str, Any] = {
        "model": model,
        "task": "feature-extraction",
        "platform": platform,
        "backend": "pytorch" if platform == "cpu" else "ort_web",
        "device": platform,
        "browser": None if platform == "cpu" else "chromium",
        "length": 128,
        "threads": 2,
    }
    return Case(**{**fields, **changes})


def run(*cases: PlannedCase, run_id: str = "20260102-made-up", started_at: str = "2026-01-02T03:04:05+00:00") -> Run:
    return Run(
        run_id=run_id,
        started_at=started_at,
        command="harness run --model bert",
        machine={"machine_id": "made-up", "cpu": "none", "memory_bytes": 8},
        plan=Plan(cases=cases, policy=Policy()),
    )


def round_of(one: Case, number: int = 1, sample_ms: tuple[float, ...] = (), **changes: Any) -> Round:
    """An ok Round of which each Sample lasts so many milliseconds."""
    fields: dict[str, Any] = {
        "round_id": f"{one.case_id}-{number}",
        "run_id": "20260102-made-up",
        "case_id": one.case_id,
        "number": number,
        "started_at": "2026-01-02T03:04:06+00:00",
        "outcome": "ok",
        "stopped_by": "narrow",
        "runtime": {"torch": "2.13.0"},
        "phases": {"load": 5_000_000, "first": 9_000_000},
        "samples": (samples(*sample_ms),),
        "memory_bytes": {"peak_rss": 100_000_000 + number},
        "verdict": Verdict(checked=True, passed=True, reference="pytorch-fp32"),
    }
    return Round(**{**fields, **changes})


def samples(*each_ms: float, clock: str = "perf_counter", runs: int = 1, phase: str = "sample") -> Samples:
    durations = tuple(round(value * 1_000_000) * runs for value in each_ms)
    return Samples(phase=phase, clock=clock, runs_per_sample=runs, durations_ns=durations)


def round_records(one: Case, number: int, outcome: str = "ok", code: str | None = None) -> list[Record]:
    """What the journal holds of one Round of a page."""
    round_id = f"{one.case_id}-{number}"
    provenance = {"isolated": True, "webgpu": {"software": True, "description": "SwiftShader"}, "threads": 2}
    events = [
        Hello(protocol=1, side="page", runtime={"onnxruntime-web": "1.30.0"}, provenance=provenance),
        Phase(phase="load", duration_ns=7_000_000 + number),
        Phase(phase="warm", duration_ns=70_000_000, detail={"steady": number != 2, "iterations": 5}),
        Note(kind="placement", text="placed", data={"providers": {"webgpu": 9, "cpu": 1}, "fallbacks": ["Gather"]}),
        Note(
            kind="provenance",
            text="more",
            data={"webgpu": {"vendor": "google"}, "browser": {"version": "153.0"}, "runtime": {"more": "1"}},
        ),
        Note(kind="memory", text="high-water mark", data={"tree_hwm_rss": 5_000_000 * number}),
        Note(kind="warning", text=f"a warning of round {number}"),
        samples(*(10 + number + i / 10 for i in range(12)), clock="await"),
        samples(*(11.5, 11.25), clock="await", runs=4),
        Done(stopped_by="budget"),
    ]
    verdict = Verdict(checked=True, passed=outcome == "ok", reference="pytorch-fp32", max_abs=1e-6 * number)
    begin = {"record": "round", "round_id": round_id, "case_id": one.case_id, "number": number}
    return [
        {**begin, "started_at": f"2026-01-02T03:04:0{number}+00:00", "artifact": "abc"},
        *({"record": "event", "round_id": round_id, "event": event} for event in events),
        {"record": "verdict", "round_id": round_id, "verdict": verdict},
        {"record": "round_end", "round_id": round_id, "outcome": outcome, "code": code, "reason": code}
        | {"memory_bytes": {"tree_hwm_rss": 8_000_000}},
    ]
