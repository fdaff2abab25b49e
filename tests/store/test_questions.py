"""The named questions: every expected number is reckoned here by hand, from latencies that were chosen for it."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from harness.core.errors import UserMistake
from harness.core.nouns import PlannedCase
from harness.store.database import open_for_writing
from harness.store.derived import keep_results
from harness.store.questions import Narrowing, ask, question_named, questions
from tests.store.made_up_results import case_of, model, ok, put_run, wrong

Row = dict[str, Any]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "harness.duckdb"


def answer(path: Path, name: str, **narrowing: Any) -> list[Row]:
    columns, rows = ask(path, question_named(name), Narrowing(**narrowing))
    return [dict(zip(columns, row, strict=True)) for row in rows]


def picked(rows: list[Row], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


# What holds of every file in the folder.


@pytest.mark.parametrize("name", questions())
def test_each_runs_on_an_empty_database_in_any_shell(database: Path, name: str) -> None:
    open_for_writing(database).close()
    question = question_named(name)
    assert question.title[0].isupper() and len(question.title) < 120
    assert question.sql.startswith("--") and question.sql.rstrip().endswith(";")
    assert len(duckdb.extract_statements(question.sql)) == 1
    without_downloads: dict[str, Any] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    with duckdb.connect(str(database), read_only=True, config=without_downloads) as con:
        assert con.execute(question.sql).fetchall() == []
    assert ask(database, question)[1] == []


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] * (place > 2)) for place, name in enumerate(questions())]
)
def test_each_sees_only_what_it_is_narrowed_to(database: Path, name: str) -> None:
    fill(database)
    everything = answer(database, name)
    assert everything
    with duckdb.connect(str(database), read_only=True) as con:
        assert len(con.execute(question_named(name).sql).fetchall()) == len(everything)
    whole = {"models": ["bert", "vit"], "families": ["text_encoder"], "run_id": "first", "where": "true -- always"}
    assert answer(database, name, **whole) == everything
    for nothing in (
        {"models": ["b'ert"]}, {"families": ["vision"]}, {"run_id": "second"}, {"platforms": ["cuda"]},
        {"where": "false -- never"},
    ):  # fmt: skip
        assert answer(database, name, **nothing) == []


def fill(database: Path) -> None:
    """Something for every question in the first Run, and nothing in the second."""
    cpu, page = case_of("bert"), case_of("bert", "wasm")
    results = [ok(cpu, 10.0), ok(page, 20.0), ok(case_of("bert", batch_size=2), 10.0)]
    results += [ok(case_of("bert", precision="int8"), 5.0), ok(case_of("bert", mode="training"), 30.0)]
    put_run(database, "first", [*results, wrong(case_of("bert", "webgpu"), 1.0)])
    put_run(database, "second", [], day=2)


def test_an_unknown_question_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserMistake) as caught:
        question_named("batch_scale")
    assert caught.value.code == "unknown_question"
    assert "batch_scaling" in str(caught.value.hint)


def test_the_order_survives_what_stands_around_the_question(database: Path) -> None:
    put_run(database, "a", [ok(case_of("bert"), 10.0), *(ok(case_of("bert", f"p{n}"), 1.0 + n) for n in range(9))])
    speedups = [row["speedup_vs_cpu"] for row in answer(database, "speedup_vs_cpu", where="speedup_vs_cpu > 2")]
    assert speedups == pytest.approx([10, 5, 10 / 3, 2.5])


# One by one.


def test_batch_scaling(database: Path) -> None:
    cpu = [ok(case_of("bert", batch_size=batch), ms) for batch, ms in ((1, 10.0), (4, 20.0), (8, 64.0))]
    # The same in all but what a model's name does not tell: its own points, one batch size each.
    layers = case_of("bert").model_copy(update={"model": model("bert", layers=2)})
    seeded = case_of("bert", seed=1)
    no_first = [wrong(case_of("bert", "wasm"), 1.0), *(ok(case_of("bert", "wasm", batch_size=b), 30.0) for b in (2, 4))]
    put_run(database, "a", [*cpu, ok(layers, 1.0), ok(seeded, 2.0), *no_first])
    put_run(database, "b", [ok(case_of("bert", "wasm"), 3.0), ok(case_of("bert", batch_size=4), 1.0)], day=2)
    vit = [ok(case_of("vit", length=None, batch_size=batch), ms) for batch, ms in ((1, 5.0), (2, 10.0))]
    put_run(database, "c", vit, day=3, machine="there")
    rows = answer(database, "batch_scaling")
    columns = ("run_id", "hardware_type", "batch_size", "throughput_ratio", "batch_efficiency", "latency_ratio")
    # 100, 200 and 125 items/s; of wasm no verified batch 1 in that Run: 2 / 30 ms and 4 / 30 ms.
    assert picked(rows, *columns, "best_batch_size") == [
        ("a", "cpu", 1, 1.0, 1.0, 1.0, 4),
        ("a", "cpu", 4, 2.0, 0.5, 2.0, 4),
        ("a", "cpu", 8, 1.25, 0.15625, 6.4, 4),
        ("a", "wasm", 2, None, None, None, 4),
        ("a", "wasm", 4, None, None, None, 4),
        # 200 items/s twice: the smaller batch is named.
        ("c", "cpu", 1, 1.0, 1.0, 1.0, 1),
        ("c", "cpu", 2, 1.0, 0.5, 2.0, 1),
    ]
    assert rows[-1]["machine_id"] == "there" and rows[-1]["length"] is None


def test_precision_cost(database: Path) -> None:
    def sized(size: float, error: float) -> dict[str, float]:
        return {"model_size_mb": size, "rms_error_share": error}

    int8 = case_of("bert", precision="int8")
    half = case_of("bert", "webgpu", precision="fp16")
    results = [
        ok(case_of("bert"), 10.0, metrics=sized(40.0, 0.0)),
        ok(int8, 5.0, metrics=sized(10.0, 0.02), latency_ci95_ms=(4.0, 6.0)),
        ok(case_of("bert", precision="bf16"), 20.0),
        wrong(case_of("bert", precision="int4"), 1.0),
        # Another batch, and another length, are other points; of webgpu there is no fp32.
        ok(case_of("bert", batch_size=8), 80.0, metrics=sized(40.0, 0.0)),
        ok(half, 7.0, software=True, metrics=sized(20.0, 0.001)),
        ok(case_of("vit", length=None), 4.0),
        ok(case_of("vit", length=None, precision="int8"), 8.0),
    ]
    put_run(database, "a", results)
    put_run(database, "b", [ok(case_of("bert", "webgpu"), 1.0), ok(case_of("bert"), 1.0)], day=2)
    rows = answer(database, "precision_cost")
    columns = ("model_name", "hardware_type", "precision", "latency_ratio", "size_ratio", "error_share", "software")
    assert picked(rows, *columns) == [
        ("bert", "cpu", "bf16", 2.0, None, None, None),
        ("bert", "cpu", "int8", 0.5, 0.25, 0.02, None),
        ("bert", "webgpu", "fp16", None, None, 0.001, True),
        ("vit", "cpu", "int8", 2.0, None, None, None),
    ]
    assert picked(rows[1:2], "latency_ci95_low_ms", "latency_ci95_high_ms", "fp32_size_mb") == [(4.0, 6.0, 40.0)]
    assert rows[0]["latency_ci95_low_ms"] is None


def test_speedup_vs_cpu(database: Path) -> None:
    results = [
        ok(case_of("bert"), 30.0, latency_ci95_ms=(29.0, 31.0)),
        # Not what anything else here is to be held against, since nothing else was seeded, compiled, or so short.
        ok(case_of("bert", seed=1), 1.0),
        ok(case_of("bert", options={"compile": True}), 10.0),
        ok(case_of("bert").model_copy(update={"model": model("bert", layers=1)}), 1.0),
        ok(case_of("bert", "wasm"), 15.0),
        ok(case_of("bert", "wasm", precision="int8"), 10.0),
        ok(case_of("bert", "wasm", batch_size=8), 10.0),
        ok(case_of("bert", "webgpu"), 60.0, software=True),
        wrong(case_of("bert", "webnn"), 1.0),
        ok(case_of("vit", length=None), 8.0),
        ok(case_of("vit", "wasm", length=None), 4.0),
    ]
    put_run(database, "a", results)
    put_run(database, "b", [ok(case_of("bert", "wasm"), 1.0)], day=2)
    put_run(database, "c", [wrong(case_of("bert"), 1.0), ok(case_of("bert", "wasm"), 1.0)], day=3, machine="there")
    rows = answer(database, "speedup_vs_cpu")
    assert picked(rows, "run_id", "slug", "speedup_vs_cpu", "software", "cpu_precision") == [
        ("a", "bert/fp32/b1/l128/cpu/compile", 3.0, None, "fp32"),
        ("a", "bert/int8/b1/l128/wasm/chromium", 3.0, None, "fp32"),
        ("a", "bert/fp32/b1/l128/wasm/chromium", 2.0, None, "fp32"),
        ("a", "bert/fp32/b1/l128/webgpu/chromium", 0.5, True, "fp32"),
        ("a", "vit/fp32/b1/wasm/chromium", 2.0, None, "fp32"),
    ]
    assert picked(rows[:1], "cpu_latency_ci95_low_ms", "latency_ci95_low_ms") == [(29.0, None)]


def fill_families(database: Path) -> None:
    put_run(database, "old", [ok(case_of("a"), 1.0)])
    cpu = [ok(case_of(name), ms) for name, ms in (("a", 10.0), ("b", 20.0), ("c", 40.0))]
    wasm = [ok(case_of("a", "wasm"), 20.0), ok(case_of("b", "wasm"), 10.0), wrong(case_of("c", "wasm"), 1.0)]
    gpu = [ok(case_of(name, "webgpu"), ms, software=True) for name, ms in (("a", 100.0), ("b", 50.0), ("c", 9.0))]
    int8 = [ok(case_of("a", "wasm", precision="int8"), 5.0)]
    audio = [ok(case_of("x", family="audio"), 10.0), ok(case_of("y", "wasm", family="audio"), 10.0)]
    vision = [ok(case_of("v", family="vision", length=None), 8.0)]
    put_run(database, "new", [*cpu, *wasm, *gpu, *int8, *audio, *vision], day=2)
    reused = [PlannedCase(case=of, reused_from="new") for of, _ in (*cpu, *wasm, *gpu)]
    put_run(database, "again", [], reused, day=3)
    put_run(database, "there", [ok(case_of("a", "wasm", seed=1), 10.0)], day=4, machine="there")


def test_family_by_platform(database: Path) -> None:
    fill_families(database)
    rows = answer(database, "family_by_platform")
    means = [f"{platform}_mean_items_per_second" for platform in ("cpu", "wasm_chromium", "webgpu_chromium_software")]
    told = [
        ("here", "audio", "fp32", 0, 2, None, None, None),
        # 100 and 50; 50 and 100; 10 and 20 items/s: the third model has no right answer on one of the three.
        ("here", "text_encoder", "fp32", 2, 1, 75.0, 75.0, 15.0),
        ("here", "text_encoder", "int8", 1, 0, None, 200.0, None),
        ("here", "vision", "fp32", 1, 0, 125.0, None, None),
        ("there", "text_encoder", "fp32", 1, 0, None, 100.0, None),
    ]
    assert picked(rows, "machine_id", "model_family", "precision", "models", "models_left_out", *means) == told
    speedups = [mean.replace("mean_items_per_second", "speedup_vs_cpu") for mean in means]
    assert [row[column] for row in rows for column in speedups] == [
        *(None, None, None),
        # 1/2 and 2 times; 1/10 and 4/10: geometric means.
        *(1.0, pytest.approx(1.0), pytest.approx(0.2)),
        *(None, pytest.approx(2.0), None),
        *(1.0, None, None),
        *(None, None, None),
    ]
    assert [row["settings"] is None for row in rows] == [True, True, True, True, False]
    assert '"seed":1' in rows[-1]["settings"]


def test_fewer_platforms_have_more_models_in_common(database: Path) -> None:
    fill_families(database)
    rows = answer(database, "family_by_platform", platforms=["cpu", "webgpu"], families=["text_encoder"])
    # 100, 50 and 25; 10, 20 and 1000/9 items/s; 1/10, 4/10 and 40/9 times.
    columns = ("models", "models_left_out", "cpu_mean_items_per_second", "webgpu_chromium_software_speedup_vs_cpu")
    assert picked(rows, *columns) == [(3, 0, pytest.approx(175 / 3), pytest.approx((0.04 * 40 / 9) ** (1 / 3)))]


def test_a_family_has_a_speedup_only_where_each_of_its_models_was_on_the_cpu(database: Path) -> None:
    int8 = [ok(case_of(name, "wasm", precision="int8"), 20.0) for name in ("a", "b")]
    put_run(database, "a", [ok(case_of("a"), 10.0), *int8])
    # A mean over the one model that has the CPU beside it would not be that of the two.
    columns = ("precision", "models", "wasm_chromium_mean_items_per_second", "wasm_chromium_speedup_vs_cpu")
    assert picked(answer(database, "family_by_platform"), *columns)[1] == ("int8", 2, 50.0, None)
    put_run(database, "b", [ok(case_of("b"), 40.0)], day=2)
    # 1/2 and 2 times.
    assert picked(answer(database, "family_by_platform"), *columns)[1] == ("int8", 2, 50.0, pytest.approx(1.0))


def test_native_vs_browser(database: Path) -> None:
    bert = [
        ok(case_of("bert"), 10.0, latency_ci95_ms=(9.0, 11.0)),
        ok(case_of("bert", "onnxruntime", browser=None, device="cpu"), 5.0, doubts=("few samples", "noisy")),
        ok(case_of("bert", "wasm"), 20.0),
        ok(case_of("bert", "webgpu", backend="transformers_js"), 15.0, software=True),
        wrong(case_of("bert", "webnn"), 1.0),
        # Other points: more threads, another precision.
        ok(case_of("bert", "wasm", threads=4), 2.0),
        ok(case_of("bert", precision="int8"), 1.0),
    ]
    put_run(database, "a", bert)
    vit = case_of("vit", length=None)
    put_run(database, "b", [ok(vit, 8.0)], day=2)
    put_run(database, "c", [ok(vit, 4.0)], day=3)
    put_run(database, "d", [ok(case_of("vit", "wasm", length=None), 12.0)], day=4)
    put_run(database, "e", [ok(case_of("vit", "webgpu", length=None), 1.0)], day=5, machine="there")
    rows = answer(database, "native_vs_browser")
    columns = ("model_name", "native_hardware", "browser_hardware", "browser_backend", "browser_software")
    assert picked(rows, *columns, "browser_latency_ratio", "same_run") == [
        ("bert", "onnxruntime", "webgpu", "transformers_js", True, 3.0, True),
        ("vit", "cpu", "wasm", "ort_web", None, 3.0, False),
    ]
    assert picked(rows[:1], "native_doubts", "browser_doubts", "native_latency_ci95_low_ms") == [(2, 0, None)]


def test_training_vs_inference(database: Path) -> None:
    bert, step = case_of("bert"), case_of("bert", mode="training")
    put_run(database, "a", [ok(bert, 99.0), ok(bert.model_copy(update={"batch_size": 8}), 5.0)])
    put_run(database, "b", [ok(bert, 10.0), wrong(case_of("bert", "wasm", mode="training"), 5.0)], day=2)
    assert answer(database, "training_vs_inference") == []
    put_run(database, "c", [ok(step, 30.0, latency_ci95_ms=(28.0, 33.0)), ok(case_of("bert", "wasm"), 1.0)], day=3)
    put_run(database, "d", [ok(step, 30.0)], day=4, machine="there")
    vit = case_of("vit", length=None)
    put_run(database, "e", [ok(vit, 2.0), ok(vit.model_copy(update={"mode": "training"}), 5.0)], day=5, machine="there")
    rows = answer(database, "training_vs_inference")
    columns = ("model_name", "machine_id", "training_latency_ratio", "same_run", "training_latency_ci95_high_ms")
    assert picked(rows, *columns) == [("bert", "here", 3.0, False, 33.0), ("vit", "there", 2.5, True, None)]


def test_history(database: Path) -> None:
    bert = case_of("bert")
    twice = [PlannedCase(case=bert, versions={"harness": "day 1"})]
    put_run(database, "a", [ok(bert, 10.0, latency_ci95_ms=(9.0, 11.0))], twice)
    put_run(database, "b", [wrong(bert, 1.0)], day=2)
    put_run(database, "c", [ok(bert, 20.0, runtime="torch 3", doubts=("noisy",))], day=3)
    put_run(database, "d", [], [PlannedCase(case=bert, reused_from="c")], day=4)
    put_run(database, "e", [ok(bert, 7.0)], day=5, machine="there")
    put_run(database, "f", [ok(case_of("bert", seed=1), 7.0)], day=6)
    rows = answer(database, "history")
    columns = ("machine_id", "run_id", "nth_result", "latency_median_ms", "latency_ratio", "versions_changed")
    assert picked(rows, *columns, "latency_ci95_low_ms", "doubts") == [
        ("here", "a", 1, 10.0, None, None, 9.0, 0),
        ("here", "c", 2, 20.0, 2.0, True, None, 1),
        ("here", "f", 1, 7.0, None, None, None, 0),
        ("there", "e", 1, 7.0, None, None, None, 0),
    ]
    assert picked(rows[1:2], "runtime", "started_at") == [("torch 3", "2026-01-03T00:00:00")]


def test_history_says_no_where_no_version_changed_and_null_where_nobody_knows(database: Path) -> None:
    bert = case_of("bert")
    put_run(database, "a", [ok(bert, 1.0)])
    put_run(database, "b", [ok(bert, 1.0)])
    unknown = bert.model_copy(update={"seed": 2})
    put_run(database, "c", [ok(unknown, 1.0)], day=2)
    put_run(database, "d", [], [PlannedCase(case=unknown)], day=3)
    with open_for_writing(database) as con:
        con.execute("INSERT INTO results SELECT * REPLACE ('d' AS run_id) FROM results WHERE run_id = 'c'")
        keep_results(con, ["d"])
    assert picked(answer(database, "history"), "run_id", "versions_changed") == [
        ("a", None), ("b", False), ("c", None), ("d", None),
    ]  # fmt: skip


def test_unsupported(database: Path) -> None:
    def no_gpu(name: str) -> PlannedCase:
        gpu = case_of(name, "onnxruntime", browser=None, device="cuda")
        return PlannedCase(case=gpu, outcome="unsupported", reason="no GPU")

    mended, page = case_of("bert"), case_of("bert", "wasm")
    put_run(database, "a", [wrong(mended, 1.0), ok(page, 1.0)], [no_gpu("bert"), no_gpu("vit"), no_gpu("bert")])
    put_run(database, "b", [ok(mended, 1.0), wrong(case_of("vit", "wasm"), 1.0)], [no_gpu("bert")], day=2)
    # Interrupted before it came to these: the first is known from before, the second is not.
    put_run(database, "c", [], [PlannedCase(case=page), PlannedCase(case=case_of("late", "wasm"))], day=3)
    put_run(database, "d", [], [PlannedCase(case=mended, reused_from="b")], day=4)
    put_run(database, "e", [], [no_gpu("bert")], day=5, machine="there")
    rows = answer(database, "unsupported")
    columns = ("machine_id", "hardware", "browser", "outcome", "code", "reason", "cases", "cases_on_platform", "models")
    not_reached = "the Run ended before this Case was measured"
    assert picked(rows, *columns) == [
        ("here", "onnxruntime:cuda", None, "unsupported", None, "no GPU", 2, 2, 2),
        ("here", "wasm", "chromium", "failed", "not_measured", not_reached, 1, 3, 1),
        ("here", "wasm", "chromium", "failed", "wrong_output", "wrong output", 1, 3, 1),
        ("there", "onnxruntime:cuda", None, "unsupported", None, "no GPU", 1, 1, 1),
    ]
    assert rows[0]["last_seen_at"] == "2026-01-02T00:00:00"


def test_latest(database: Path) -> None:
    bert = case_of("bert")
    put_run(database, "a", [ok(bert, 3.0)])
    put_run(database, "b", [ok(bert, 2.0)], day=2)
    put_run(database, "c", [wrong(bert, 1.0)], day=3)
    put_run(database, "d", [ok(bert, 4.0)], day=2, machine="there")
    found = picked(answer(database, "latest"), "machine_id", "run_id", "latency_median_ms")
    assert sorted(found) == [("here", "b", 2.0), ("there", "d", 4.0)]
