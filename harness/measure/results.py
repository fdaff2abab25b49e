"""Rounds of one Case → its CaseResult, purely: outcome, metrics, interval, and every doubt in plain words."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from harness.core.clocks import medians_ms
from harness.core.nouns import ASIDE, Case, LoopPolicy, Outcome
from harness.core.rounds import CaseResult, Round, Verdict
from harness.core.statistics import LEAST_FOR_INTERVAL, LEAST_ROUNDS, effective_n, median
from harness.core.units import human_bytes, ms
from harness.measure.attached import doubts_about_attached, is_elsewhere
from harness.metrics import (
    latencies_ms,
    latency_estimate,
    pooled_ms,
    runs_per_sample,
    steady_samples,
    timed_rounds,
    verdict_clock,
    wait_floor_ns,
)

# What the twin loops aim for, so that a doubt and the rule it doubts cannot drift apart.
LEAST_SAMPLES: int = LoopPolicy.model_fields["least_samples"].default
STEPS_PER_SAMPLE: int = LoopPolicy.model_fields["steps_per_sample"].default
NEEDED_EFFECTIVE = 6
FAR_FROM_TIMESTAMPS = 0.8

Compute = Callable[[Sequence[Round], Case], float | None]


def case_result(run_id: str, case: Case, rounds: Sequence[Round], metrics: Mapping[str, Compute]) -> CaseResult:
    """What follows from a Case's Rounds. Raises ValueError without any: an impossible Case has its outcome in the Plan.

    A Round that failed by wrong output makes the Case failed; its timings stay in the metrics, but nothing that is
    not ok is ever ranked.
    """
    profiles = [one for one in rounds if one.purpose == "profile"]
    rounds = [one for one in rounds if one.purpose not in ASIDE]
    if not rounds:
        raise ValueError(f"case {case.case_id} has no Rounds")
    failed = [one for one in rounds if one.outcome == "failed"]
    outcome: Outcome = "ok"
    if failed:
        outcome = "failed"
    elif all(one.outcome == "unsupported" for one in rounds):
        outcome = "unsupported"
    words = next((one for one in rounds if one.outcome == outcome), rounds[0])
    timed = timed_rounds(rounds)
    estimate = latency_estimate(rounds)
    return CaseResult(
        run_id=run_id,
        case_id=case.case_id,
        outcome=outcome,
        code=None if outcome == "ok" else words.code,
        reason=None if outcome == "ok" else words.reason,
        rounds=len(rounds),
        rounds_failed=len(failed),
        runtime=runtime_label(timed or rounds),
        browser_version=_browser_version(timed or rounds),
        software=software(timed or rounds),
        fallback_share=_number(_highest(timed or rounds, "fallback_share")),
        metrics={name: compute(rounds, case) for name, compute in _of_timing(metrics, rounds).items()},
        latency_ci95_ms=estimate.interval_ms if estimate else None,
        interval_method=estimate.method if estimate else None,
        stopped_by=tuple(dict.fromkeys(one.stopped_by for one in timed if one.stopped_by)),
        correct=_verdict(rounds),
        clock=clock(timed),
        doubts=(*doubts(case, rounds), *_about_profiles(profiles)),
        measured_at=min(one.started_at for one in rounds),
    )


def _of_timing(metrics: Mapping[str, Compute], rounds: Sequence[Round]) -> Mapping[str, Compute]:
    """Rounds of coverage shared the machine with others: whatever could be read off them is no measurement."""
    return {} if any(one.purpose == "coverage" for one in rounds) else metrics


def _about_profiles(profiles: Sequence[Round]) -> list[str]:
    """A profile that could not be had takes nothing from what was timed."""
    without = [one for one in profiles if one.outcome != "ok"]
    return [f"no profile: {one.code or one.outcome}: {one.reason}" for one in without]


def runtime_label(rounds: Sequence[Round]) -> str | None:
    """`onnxruntime-web@1.30.0`: the first package that the worker or page named, which is what was measured."""
    for one in rounds:
        for package, version in one.runtime.items():
            return f"{package}@{version}"
    return None


def software(rounds: Sequence[Round]) -> bool | None:
    """Whether a graphics adapter was really the CPU; None where no adapter took part."""
    told = [found for one in rounds if (found := _part(one, "webgpu").get("software")) is not None]
    return any(told) if told else None


def clock(rounds: Sequence[Round]) -> dict[str, Any]:
    """Which clock the verdict is in and how far to trust it; null where not measured.

    `kind` is the source of time, `verdict` the clock as the worker named it (WebGPU's await is read off
    `performance.now()`), `why` what is to be known of that. `all_ms` holds the median of each of WebGPU's
    clocks over all Rounds.
    """
    if not rounds:
        return {}
    verdict, why = verdict_clock(rounds)
    step, floor = _highest(rounds, "clock_step_ns"), wait_floor_ns(rounds)
    return {
        "kind": "performance_now" if verdict in ("await", "submit") else verdict,
        "verdict": verdict,
        "why": why,
        "step_us": step / 1000 if step is not None else None,
        "runs_per_sample": runs_per_sample(rounds) or None,
        "isolated": _first(rounds, "isolated"),
        "wait_floor_ms": ms(floor) if floor is not None else None,
        "all_ms": medians_ms(steady_samples(rounds)),
    }


def doubts(case: Case, rounds: Sequence[Round]) -> tuple[str, ...]:
    """Why the number may not be what it seems; each sentence once, the gravest first."""
    timed = timed_rounds(rounds)
    if not timed:  # of a number that is not there nothing is doubted; but what went on is told
        return tuple(dict.fromkeys(note for one in rounds for note in one.notes))
    found = [
        *_doubts_about_truth(rounds),
        *_doubts_about_device(case, timed),
        *doubts_about_attached(timed),
        *_doubts_about_samples(timed),
        *_doubts_about_page(timed),
        *_doubts_about_seeing(timed),
        *(note for one in rounds for note in one.notes),
    ]
    return tuple(dict.fromkeys(found))


def _doubts_about_truth(rounds: Sequence[Round]) -> list[str]:
    failed = [one for one in rounds if one.outcome == "failed"]
    found = []
    if any(one.code == "wrong_output" for one in failed):
        found.append("wrong output: the timings are kept but never ranked")
    if failed and len(failed) < len(rounds):
        found.append(f"{len(failed)} of {len(rounds)} rounds failed")
    if cut := _highest(rounds, "texts_cut"):
        found.append(
            f"cut texts: {cut:.0f}; transformers.js cuts off the closing token too, where PyTorch's side keeps it"
        )
    refused = [one for one in rounds if one.outcome == "unsupported"]
    if refused and len(refused) < len(rounds):
        found.append(f"{len(refused)} of {len(rounds)} rounds were refused: {refused[0].reason}")
    unchecked = [one for one in timed_rounds(rounds) if one.verdict is None or not one.verdict.checked]
    if unchecked:
        why = next((one.verdict.reason for one in unchecked if one.verdict and one.verdict.reason), None)
        found.append("outputs not verified" + (f": {why}" if why else ""))
    return found


def _doubts_about_device(case: Case, rounds: Sequence[Round]) -> list[str]:
    found = []
    for one in rounds:
        adapter = _part(one, "webgpu")
        if adapter.get("software"):
            named = adapter.get("adapter")
            told = {**adapter, **(named if isinstance(named, Mapping) else {})}
            name = told.get("description") or told.get("device") or "a CPU acts as the adapter"
            found.append(f"software adapter: {name}")
        share = one.provenance.get("fallback_share")
        if share or one.fallbacks:
            names = _operators(one.fallbacks)
            how_many = f"{share:.1%} of nodes" if isinstance(share, int | float) and share else "some nodes"
            if share == 1:
                how_many = f"no node ran on {case.platform}, all"
            found.append(f"{how_many} fell back to the CPU" + (f": {names}" if names else ""))
        if case.platform != "wasm" and share is None and (why := _part(one, "placement").get("reason")):
            found.append(f"whether nodes fell back to the CPU is not known: {why}")
        for own in (one.provenance.get("doubts"), _part(one, "placement").get("doubts")):
            found += [each for each in own if isinstance(each, str)] if isinstance(own, list) else []
        threads = one.provenance.get("threads")
        if threads is not None and threads != case.threads:
            found.append(f"threads used: {threads}, asked for: {case.threads}")
    if case.affinity is not None and case.threads > len(case.affinity):
        found.append(f"{case.threads} threads take turns on CPU {', '.join(map(str, case.affinity))}")
    if case.browser is None and any(one.provenance.get("isolation") == "zygote" for one in rounds):
        found.append("forked: peak memory lacks shared pages, and touching them falls into load and first inference")
    served = [one for one in rounds if _part(one, "browser").get("rounds_before")]
    if case.isolation == "zygote" and served:
        fresh = f", {len(rounds) - len(served)} in a fresh one" if len(served) < len(rounds) else ""
        found.append(f"{len(served)} rounds in a kept browser{fresh}: load and memory know what it did before")
    if case.cache == "warm" and case.network is None:
        found.append("second load in the same profile: memory knows the first; the HTTP cache is kept empty")
    if case.network is not None and any(is_elsewhere(one) for one in rounds):
        found.append(f"at most {case.network}: the device's own connection is in it")
    if case.cache == "warm" and case.network is not None:
        found.append(f"second visit in the same profile: memory knows the first; {_fetched_again(rounds)}")
    if case.platform == "webnn":
        found.append(f"WebNN: {case.device} was asked for, a hint; what ran, and on how many threads, is not knowable")
    return found


def _fetched_again(rounds: Sequence[Round]) -> str:
    """How much of its files a browser had kept from the first visit, in its own words."""
    told = [_part(one, "downloads") for one in rounds]
    fetched = [size for each in told if _is_number(size := each.get("network_bytes"))]
    kept = [size for each in told if _is_number(size := each.get("kept_bytes"))]
    if not fetched or not kept:
        return "this browser does not tell what it had kept of the files"
    return f"{human_bytes(median(kept))} of the files had been kept, {human_bytes(median(fetched))} were fetched again"


def _doubts_about_samples(rounds: Sequence[Round]) -> list[str]:
    found = []
    taken = list(zip(rounds, latencies_ms(rounds), strict=True))
    if few := [one for one, latencies in taken if len(latencies) < LEAST_SAMPLES]:
        counts = ", ".join(str(len(latencies)) for _, latencies in taken if len(latencies) < LEAST_SAMPLES)
        # The rule that ended the loop says nothing of the clocks that are sampled after it.
        in_loop = verdict_clock(rounds).clock not in ("slope", "timestamp")
        ended = f", ended by the {few[0].stopped_by or 'unknown'}" if in_loop else ""
        found.append(f"few samples: n = {counts} in {_which(few)}{ended}")
    if unsteady := [one for one in rounds if one.phase_details.get("warm", {}).get("steady") is False]:
        found.append(f"not steady after warm-up in {_which(unsteady)}")
    if stolen := [one for one in rounds if _highest([one], "steal_share") and not is_elsewhere(one)]:
        most = f"{_highest(stolen, 'steal_share'):.1%}"
        found.append(f"the host of this virtual machine took up to {most} of its CPU in {_which(stolen)}")
    if len(rounds) < LEAST_ROUNDS:
        found.append(
            f"interval within {len(rounds)} of {LEAST_ROUNDS} rounds: what differs between processes is not in it"
        )
    pooled = pooled_ms(rounds)
    if len(pooled) < LEAST_FOR_INTERVAL and len(rounds) < LEAST_ROUNDS:
        found.append(f"no interval: n = {len(pooled)} is below {LEAST_FOR_INTERVAL}")
    elif drifting := [
        one
        for one, latencies in taken
        if len(latencies) >= 2 * LEAST_SAMPLES and effective_n(latencies) < NEEDED_EFFECTIVE
    ]:
        found.append(f"the latency drifts in {_which(drifting)}: samples so alike that they count as fewer than 6")
    return found


def _which(rounds: Sequence[Round]) -> str:
    """`round 2`, `rounds 1, 3`."""
    numbers = ", ".join(str(one.number) for one in rounds)
    return f"round{'s' if len(rounds) > 1 else ''} {numbers}"


def _doubts_about_page(rounds: Sequence[Round]) -> list[str]:
    found = []
    chosen, why = verdict_clock(rounds)
    for one in rounds:
        if one.provenance.get("isolated") is False:
            found.append("the page was not cross-origin isolated: coarse clock, no shared memory")
        if (seen := one.provenance.get("visibility")) not in (None, "visible"):
            found.append(f"the page was {seen}: browsers slow such pages down")
        step = _highest([one], "clock_step_ns")
        durations = [
            duration
            for batch in one.samples
            if (batch.phase, batch.clock) == ("sample", chosen)
            for duration in batch.durations_ns
        ]
        if step and durations and median(durations) < STEPS_PER_SAMPLE / 2 * step:
            found.append(f"coarse clock: a sample is far shorter than {STEPS_PER_SAMPLE} steps of {step / 1000:g} µs")
    return [*found, *([why] if why else []), *_doubts_about_dispatch(rounds, chosen)]


_SEEN = {
    "headed": "measured in a window: the screen and the desktop take part",
    "paused": "paused before the first iteration, with DevTools open where the browser opens them by itself",
    "traced": "traced: slower than untraced, and the trace is in the memory",
}


def _doubts_about_seeing(rounds: Sequence[Round]) -> list[str]:
    found = [words for one in rounds for way, words in _SEEN.items() if _part(one, "seeing").get(way)]
    if any(_part(one, "browser").get("passed_over") for one in rounds):
        found.append("another build of the browser than the pinned one, which has no window")
    return found


def _doubts_about_dispatch(rounds: Sequence[Round], chosen: str | None) -> list[str]:
    """Where the GPU itself was busy for much less than a run takes, a quicker GPU would not help."""
    pooled = pooled_ms(rounds)
    own = [ms(duration) for one in rounds for duration in one.per_run_ns("sample", "timestamp")]
    if chosen == "timestamp" or not own or not pooled or median(own) > FAR_FROM_TIMESTAMPS * median(pooled):
        return []
    return [f"the GPU's own timestamps say {median(own):.3g} ms: the rest is handing over work and waiting"]


def _verdict(rounds: Sequence[Round]) -> Verdict | None:
    """The worst word of the judge: a failed one, else an unchecked one, else the first."""
    told = [one.verdict for one in rounds if one.verdict is not None]
    failed = [one for one in told if not one.passed]
    unchecked = [one for one in told if not one.checked]
    return next(iter(failed or unchecked or told), None)


def _part(one: Round, key: str) -> Mapping[str, Any]:
    """A worker or page may say anything: what is no table holds nothing."""
    found = one.provenance.get(key)
    return found if isinstance(found, Mapping) else {}


def _first(rounds: Sequence[Round], key: str) -> Any:
    return next((one.provenance[key] for one in rounds if one.provenance.get(key) is not None), None)


def _highest(rounds: Sequence[Round], key: str) -> float | None:
    told = [value for one in rounds if _is_number(value := one.provenance.get(key))]
    return max(told, default=None)


def _is_number(value: Any) -> TypeGuard[float]:
    """A worker or page may say anything: `true` is no number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _browser_version(rounds: Sequence[Round]) -> str | None:
    """What the browser that ran says of itself, not what was asked for."""
    browser = _first(rounds, "browser")
    version = browser.get("version") if isinstance(browser, Mapping) else None
    return None if version is None else str(version)


def _operators(fallbacks: Sequence[str], most: int = 8) -> str:
    """`Gather ×2, Shape` from `Operator (node)`s: the nodes of a big graph would fill pages."""
    counted = Counter(one.split(" (")[0] for one in fallbacks).most_common()
    named = [operator if count == 1 else f"{operator} ×{count}" for operator, count in counted[:most]]
    return ", ".join(named) + (" …" if len(counted) > most else "")


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
