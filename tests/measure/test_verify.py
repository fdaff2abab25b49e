"""The one judge: what passes, what fails, and what is always wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.nouns import PRECISIONS, PipelineCall
from harness.measure.verify import TOLERANCE, Tolerance, compare, judge
from tests.making import make_artifact, make_case, write_outputs

RNG = np.random.default_rng(7)
FP32, ANY = TOLERANCE["fp32"], Tolerance(1e9, 1e9)
CASE = make_case(task="text-generation")
GOOD = RNG.normal(size=(4, 8)).astype(np.float32)


def verdict_of(folder: Path, first: Any, last: Any, expected: Any = GOOD) -> Any:
    (folder / "artifact").mkdir()
    artifact = make_artifact(folder / "artifact", {"y": expected})
    outputs = {
        "first": write_outputs(folder / "out", "first", {"y": first}),
        "last": write_outputs(folder / "out", "last", {"y": last}),
    }
    return judge(artifact, folder / "artifact", outputs, folder / "out", CASE)


def test_the_same_bytes_are_correct(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, GOOD, GOOD)
    assert verdict.checked and verdict.passed
    assert (verdict.max_abs, verdict.agreement, verdict.reference) == (0.0, 1.0, "pytorch-fp32")
    assert verdict.cosine == pytest.approx(1.0)


def test_rounding_of_sums_is_correct_and_three_percent_is_not(tmp_path: Path) -> None:
    assert compare(GOOD, GOOD * np.float32(1 + 1e-5), TOLERANCE["fp32"]).passed
    wrong = compare(GOOD, GOOD * np.float32(1.03), TOLERANCE["fp32"])
    assert not wrong.passed and wrong.cosine == pytest.approx(1.0), "a cosine alone would have let it pass"


@pytest.mark.parametrize("which", ["first", "last"])
def test_both_iterations_count(tmp_path: Path, which: str) -> None:
    bad = GOOD + 1
    verdict = verdict_of(tmp_path, bad if which == "first" else GOOD, bad if which == "last" else GOOD)
    assert not verdict.passed and (verdict.reason or "").startswith(which)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_always_wrong(poison: float) -> None:
    bad = GOOD.copy()
    bad[1, 1] = poison
    verdict = compare(GOOD, bad, tolerance=ANY)
    assert not verdict.passed and "NaN" in (verdict.reason or "")


def test_an_expected_infinity_must_be_answered_by_the_same_one() -> None:
    expected = np.array([1.0, -np.inf], np.float32)
    assert compare(expected, expected.copy(), FP32).passed
    assert not compare(expected, np.array([1.0, np.inf], np.float32), FP32).passed


def test_beside_what_is_masked_other_values_are_still_compared() -> None:
    least = float(np.finfo(np.float32).min)
    expected = np.array([1.0, 2.0, least], np.float32)
    assert compare(expected, expected.copy(), FP32).passed
    assert compare(expected, np.array([1.0, 2.0, -65504.0], np.float32), FP32).passed, "half precision's mask"
    assert compare(expected, np.array([1.0, 2.0, -np.inf], np.float32), FP32).passed
    assert not compare(expected, np.array([1.5, 2.0, least], np.float32), FP32).passed
    unmasked = compare(expected, np.array([1.0, 2.0, 3.0], np.float32), FP32)
    assert not unmasked.passed and "should be masked" in str(unmasked.reason)
    assert not compare(expected, np.array([1.0, 2.0, np.nan], np.float32), FP32).passed


def test_a_reference_with_nan_proves_nothing() -> None:
    nothing = np.full(3, np.nan, np.float32)
    verdict = compare(nothing, nothing.copy(), FP32)
    assert not verdict.passed and not verdict.checked


def test_the_worst_tensor_speaks_for_agreement_and_cosine(tmp_path: Path) -> None:
    (tmp_path / "artifact").mkdir()
    flat = np.array([[1.0, 1.0 + 1e-5]] * 4, np.float32)
    artifact = make_artifact(tmp_path / "artifact", {"y": GOOD, "z": flat})
    given = {"y": GOOD * np.float32(1 + 5e-4), "z": flat[:, ::-1].copy()}
    outputs = {name: write_outputs(tmp_path / "out", name, given) for name in ("first", "last")}
    verdict = judge(artifact, tmp_path / "artifact", outputs, tmp_path / "out", CASE)
    assert verdict.passed and verdict.agreement == 0.0


def test_whole_numbers_must_be_equal() -> None:
    assert compare(np.array([1, 2]), np.array([1, 2]), FP32).passed
    assert not compare(np.array([1000, 2]), np.array([1001, 2]), ANY).passed


@pytest.mark.parametrize("bad", [GOOD[:2], GOOD.astype(np.float64), GOOD.reshape(8, 4)])
def test_another_shape_or_dtype_is_wrong(tmp_path: Path, bad: Any) -> None:
    assert not verdict_of(tmp_path, GOOD, bad).passed


def test_too_few_bytes_are_wrong(tmp_path: Path) -> None:
    (tmp_path / "artifact").mkdir()
    artifact = make_artifact(tmp_path / "artifact", {"y": GOOD})
    outputs = {name: write_outputs(tmp_path / "out", name, {"y": GOOD}) for name in ("first", "last")}
    (tmp_path / "out" / "last" / "0.bin").write_bytes(b"1234")
    verdict = judge(artifact, tmp_path / "artifact", outputs, tmp_path / "out", CASE)
    assert not verdict.passed and "bytes" in (verdict.reason or "")


def test_a_missing_output_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "artifact").mkdir()
    artifact = make_artifact(tmp_path / "artifact", {"y": GOOD})
    outputs = {name: write_outputs(tmp_path / "out", name, {"z": GOOD}) for name in ("first", "last")}
    assert not judge(artifact, tmp_path / "artifact", outputs, tmp_path / "out", CASE).passed


def test_an_argmax_is_reported_only_where_it_means_something(tmp_path: Path) -> None:
    (tmp_path / "artifact").mkdir()
    artifact = make_artifact(tmp_path / "artifact", {"y": GOOD})
    outputs = {name: write_outputs(tmp_path / "out", name, {"y": GOOD}) for name in ("first", "last")}
    embedding = make_case(task="feature-extraction")
    assert judge(artifact, tmp_path / "artifact", outputs, tmp_path / "out", embedding).agreement is None


def judged_as_pipeline(folder: Path, given: dict[str, Any]) -> Any:
    """What a pipeline answered, `embeddings` expected; the Artifact's graph would give `y`."""
    (folder / "artifact").mkdir()
    artifact = make_artifact(folder / "artifact", {"y": GOOD, "embeddings": GOOD * 2})
    graph, answer = artifact.expected
    call = PipelineCall(task="feature-extraction", texts=("a",), length=8, expected=(answer,))
    artifact = artifact.model_copy(update={"expected": (graph,), "pipeline": call})
    outputs = {name: write_outputs(folder / "out", name, given) for name in ("first", "last")}
    case = make_case(backend="transformers_js", platform="wasm", browser="chromium")
    return judge(artifact, folder / "artifact", outputs, folder / "out", case)


def test_of_a_pipeline_its_answer_is_judged(tmp_path: Path) -> None:
    verdict = judged_as_pipeline(tmp_path, {"embeddings": GOOD * 2})
    assert verdict.passed and verdict.checked and verdict.reference == "pytorch-fp32"


@pytest.mark.parametrize("given", [{"embeddings": GOOD * np.float32(2.01)}, {"y": GOOD}, {"embeddings": GOOD[:2] * 2}])
def test_a_pipeline_with_another_answer_is_wrong_whatever_its_graph_gives(tmp_path: Path, given: Any) -> None:
    assert not judged_as_pipeline(tmp_path, given).passed


def test_a_pipeline_of_which_nobody_knows_the_answer_is_not_checked(tmp_path: Path) -> None:
    (tmp_path / "artifact").mkdir()
    artifact = make_artifact(tmp_path / "artifact", {"y": GOOD})
    outputs = {name: write_outputs(tmp_path / "out", name, {"y": GOOD}) for name in ("first", "last")}
    case = make_case(backend="transformers_js", platform="wasm", browser="chromium")
    verdict = judge(artifact, tmp_path / "artifact", outputs, tmp_path / "out", case)
    assert (verdict.passed, verdict.checked) == (False, False)


def noisy(share: float, size: int = 4096) -> tuple[Any, Any]:
    """Normal values around 50 (a large part in common), and the same with so much noise relative to their spread."""
    random = np.random.default_rng(11)
    values = 50 + random.normal(size=(8, size // 8))
    return values.astype(np.float32), (values + share * random.normal(size=values.shape)).astype(np.float32)


@pytest.mark.parametrize("precision", [name for name in PRECISIONS if name != "fp32"])
def test_a_precision_may_cost_what_it_costs_and_noise_never_passes(precision: str) -> None:
    """The noise is as small as 2 % of the magnitude, and its cosine is 0.9998: only the spread tells."""
    limit = TOLERANCE[precision].typical
    passing, failing = (compare(*noisy(limit * part), TOLERANCE[precision]) for part in (0.9, 1.1))
    assert passing.passed and passing.rms_rel == pytest.approx(0.9 * limit, rel=0.05)
    assert not failing.passed and "spread" in (failing.reason or "")
    noise = compare(*noisy(1.0), TOLERANCE[precision])
    assert not noise.passed and (noise.cosine or 0) > 0.999


def test_every_precision_has_a_tolerance_and_coarser_ones_a_wider_one() -> None:
    assert TOLERANCE.keys() == set(PRECISIONS)
    order = [TOLERANCE[name] for name in ("fp32", "fp16", "bf16", "int8", "int8-static", "int4")]
    assert order == sorted(order, key=lambda each: (each.typical, each.largest))
    assert all(tolerance.typical < 0.5 for tolerance in TOLERANCE.values()), "noise is 1"


def test_of_a_constant_output_no_spread_is_made_up() -> None:
    flat = np.full((4, 4), 3.0, np.float32)
    assert compare(flat, flat + np.float32(1e-4), TOLERANCE["fp32"]).rms_rel is None


def test_each_figure_is_the_worst_of_both_iterations(tmp_path: Path) -> None:
    """One value far off in the first, all of them a little in the last: the largest error is one's, the typical the
    other's."""
    folder = tmp_path / "artifact"
    folder.mkdir()
    expected = RNG.normal(size=(64, 64)).astype(np.float32)
    one_off, all_off = expected.copy(), expected + RNG.normal(scale=0.05, size=expected.shape).astype(np.float32)
    one_off[0, 0] += 1.0
    artifact = make_artifact(folder, {"y": expected})
    outputs = {
        "first": write_outputs(tmp_path / "out", "first", {"y": one_off}),
        "last": write_outputs(tmp_path / "out", "last", {"y": all_off}),
    }
    verdict = judge(artifact, folder, outputs, tmp_path / "out", make_case(precision="int8"))
    assert verdict.passed and verdict.max_abs == pytest.approx(1.0, rel=0.01)
    assert verdict.rms_rel == pytest.approx(0.05, rel=0.1) and verdict.cosine == pytest.approx(
        1 - 0.05**2 / 2, abs=1e-3
    )
