"""Estimates of memory: too low rather than too high, corrected by what ran, refusing only what is clearly beyond."""

from pathlib import Path

import pytest

from harness import catalog
from harness.core.nouns import PRECISIONS, Case
from harness.core.rounds import Round
from harness.plan.memory import (
    CLEARLY,
    Measured,
    export_estimate_bytes,
    measured_in,
    needed_bytes,
    no_room_to_export,
    no_room_to_run,
    predicted_bytes,
    run_estimate_bytes,
)
from harness.plan.sizes import parameters_of
from tests.making import make_case, make_model
from tests.plan.test_schedule_stages import MB

FULL = make_model(scale="full")
PARAMETERS = catalog.architectures()["bert"].parameters


def full(backend: str = "pytorch", platform: str = "cpu", **changes: object) -> Case:
    return make_case(model=FULL, backend=backend, platform=platform, **changes)


def measured(*peaks: tuple[Case, float]) -> list[Measured]:
    return [Measured(case, round(peak_mb * MB)) for case, peak_mb in peaks]


@pytest.mark.parametrize(
    ("backend", "measured_mb"), [("pytorch", 874.6), ("onnxruntime", 476.9), ("ort_web", 1693.0)]
)  # of full BERT, batch 1, length 128, on the machine that the factors come from
def test_the_estimate_is_near_the_peak_it_was_made_from(backend: str, measured_mb: float) -> None:
    estimate = run_estimate_bytes(full(backend, browser="chromium" if backend == "ort_web" else None))
    assert estimate == pytest.approx(measured_mb * MB, rel=0.03)
    assert export_estimate_bytes(full()) == pytest.approx(1413 * MB, rel=0.03)


def test_exporting_needs_more_than_running_and_every_precision_has_an_estimate() -> None:
    running = [run_estimate_bytes(full("onnxruntime", precision=precision)) for precision in PRECISIONS]
    exporting = export_estimate_bytes(full())
    assert exporting is not None and all(size is not None and 0 < size < exporting for size in running)
    assert running[0] == max(size or 0 for size in running), "fp32 is the largest"


def test_the_unknown_is_admitted() -> None:
    for case in (make_case(), make_case(model=make_model(kind="pretrained", scale="full", path=None))):
        assert run_estimate_bytes(case) is export_estimate_bytes(case) is None
        assert no_room_to_run(case, [], 1) is None and no_room_to_export(case, 1) is None


def test_what_a_device_of_its_own_holds_is_no_matter_of_main_memory() -> None:
    assert run_estimate_bytes(full(device="cuda")) is None
    assert no_room_to_run(full(device="cuda"), [], 1) is None


def test_files_tell_their_size(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(bytes(400))
    (tmp_path / "m.onnx.data").write_bytes(bytes(4000))
    (tmp_path / "other.onnx").write_bytes(bytes(9000))
    graph = make_model(kind="onnx", architecture=None, path=str(tmp_path / "m.onnx"), scale="full")
    assert parameters_of(graph) == 1100
    (tmp_path / "model.safetensors").write_bytes(bytes(800))
    assert parameters_of(make_model(kind="pretrained", path=str(tmp_path), scale="full")) == 200
    gone = make_model(kind="onnx", path=str(tmp_path / "gone" / "m.onnx"), scale="full")
    assert parameters_of(gone) is None


def test_only_what_is_clearly_beyond_is_refused() -> None:
    case = full()
    estimate = run_estimate_bytes(case)
    assert estimate is not None
    assert no_room_to_run(case, [], estimate) is None
    assert no_room_to_run(case, [], round(estimate / CLEARLY) + 1) is None
    reason = no_room_to_run(case, [], 100 * MB)
    assert reason == "needs about 862.9 MB, 100.0 MB are available: not started"
    refused = str(no_room_to_export(case, 100 * MB))
    assert "exporting it needs about" in refused and "--layers" in refused
    cut = make_case(model=make_model(scale="full", layers=1))
    assert no_room_to_export(cut, 100 * MB) is None, "nobody has counted what is left of it"


def test_one_measured_size_is_the_least_that_a_larger_one_needs() -> None:
    small, large = full(batch_size=1), full(batch_size=8)
    assert predicted_bytes(large, measured((small, 2000))) == 2000 * MB
    assert predicted_bytes(small, measured((large, 2000))) is None, "a larger one says nothing of a smaller"
    assert needed_bytes(small, measured((large, 2000))) == run_estimate_bytes(small)


def test_two_measured_sizes_give_a_line_through_what_is_fixed() -> None:
    points = measured((make_case(batch_size=1), 110), (make_case(batch_size=4), 140))
    assert predicted_bytes(make_case(batch_size=16), points) == 260 * MB
    by_length = measured((make_case(length=8), 100), (make_case(length=16), 120))
    assert predicted_bytes(make_case(length=32), by_length) == 160 * MB


def test_noise_does_not_make_the_larger_one_smaller_and_others_do_not_count() -> None:
    falling = measured((make_case(batch_size=1), 140), (make_case(batch_size=4), 110))
    assert predicted_bytes(make_case(batch_size=16), falling) == 110 * MB
    elsewhere = measured((make_case(batch_size=1, precision="fp16"), 140), (make_case(batch_size=1, seed=1), 140))
    assert predicted_bytes(make_case(batch_size=4), elsewhere) is None


def test_peaks_come_from_rounds_that_timed() -> None:
    case = make_case()
    fields = {"run_id": "r", "case_id": case.case_id, "started_at": "now", "outcome": "ok"}
    rounds = [
        Round.model_validate({**fields, "round_id": "1", "number": 1, "memory_bytes": {"peak_rss": 5}}),
        Round.model_validate({**fields, "round_id": "2", "number": 2, "memory_bytes": {"peak_rss": 7}}),
        Round.model_validate({
            **fields, "round_id": "3", "number": 1, "purpose": "profile", "memory_bytes": {"peak_rss": 99}
        }),
        Round.model_validate({**fields, "round_id": "4", "number": 3}),
    ]  # fmt: skip
    assert measured_in(rounds, {case.case_id: case}) == [Measured(case, 7)]
