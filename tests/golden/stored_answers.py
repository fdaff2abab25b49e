"""What every reading verb says of the stored runs in `stored/results.tar.xz`.

`python tests/golden/stored_answers.py PLACE FOLDER` writes the answers of the harness on PYTHONPATH to FOLDER, one file
per question; the archive is unpacked in PLACE. The runs and the first answers were written by the code of commit
7d0ab8a, on Linux x86-64 (`stored/make_runs.sh` has the commands). An answer is written anew only where a change is
meant, and reviewed as a diff.
"""

import json
import os
import re
import sys
import tarfile
from pathlib import Path

from click.testing import CliRunner

from harness.cli import harness

FIRST, SECOND, BATCHES, FAILED = ("@first", "@second", "@batches", "@failed")  # replaced by the run_ids, oldest first
_QUESTIONS = (
    "batch_scaling", "family_by_platform", "history", "latest", "native_vs_browser", "precision_cost", "speedup_vs_cpu",
    "training_vs_inference", "unsupported",
)  # fmt: skip
_VIEW = """SELECT run_id, case_id, slug, model_name, model_family, hardware_type, browser, precision, batch_size,
    outcome, code, reason, latency_median_ms, throughput_items_per_second, samples, rounds, rounds_failed
    FROM performance_results_all_view ORDER BY run_id, slug"""

# File → the command that answers it.
COMMANDS: dict[str, tuple[str, ...]] = {
    "show.txt": ("show", FIRST),
    "show.json": ("show", FIRST, "--json"),
    "show_second.json": ("show", SECOND, "--json"),
    "show_failed.json": ("show", FAILED, "--json"),
    "show_batches.txt": ("show", BATCHES),
    **{f"ask_{name}.json": ("ask", name, "--json") for name in _QUESTIONS},
    "query_view.json": ("query", _VIEW, "--json"),
    "compare_runs.txt": ("compare", FIRST, SECOND),
    "compare_runs.json": ("compare", FIRST, SECOND, "--json"),
    "compare_platforms.json": ("compare", "onnxruntime", "wasm", "--run", SECOND, "--json"),
    "anomalies.json": ("anomalies", SECOND, "--json"),
    "trends.json": ("trends", "--json"),
    "baseline.json": ("baseline", "list", "--json"),
    "check_database.json": ("db", "check", "--json"),
    "report_run.json": ("report", "run", SECOND, "--format", "json"),
    "report_comparison.md": ("report", "comparison", SECOND, "--format", "markdown"),
    "report_coverage.md": ("report", "coverage", FIRST, "--format", "markdown"),
    "report_architecture.md": ("report", "architecture", "--format", "markdown"),
    "report_batch_scaling.md": ("report", "batch-scaling", BATCHES, "--format", "markdown"),
    "report_trend.csv": ("report", "trend", "--format", "csv"),
}  # fmt: skip


def unpack(folder: Path) -> Path:
    """The archive's `results`, in that folder."""
    with tarfile.open(Path(__file__).parent / "stored" / "results.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def run_ids(place: Path) -> dict[str, str]:
    """FIRST, SECOND … → its run_id."""
    runs = sorted(path.stem for path in (place / "results" / "harness.journal").glob("*.jsonl"))
    return dict(zip((FIRST, SECOND, BATCHES, FAILED), runs, strict=False))


def answer(name: str, place: Path) -> str:
    """The answer to one question about the database below `place`, without what depends on the moment or the folder;
    JSON is laid out in lines, so that a change is a diff that can be read."""
    ids = run_ids(place)
    arguments = [ids.get(word, word) for word in COMMANDS[name]]
    before = Path.cwd()
    os.chdir(place)
    try:
        done = CliRunner(env={"COLUMNS": "110"}).invoke(harness, arguments, standalone_mode=False)
    finally:
        os.chdir(before)
    if done.exception is not None:
        raise done.exception
    text = done.stdout.replace(str(place.resolve()), "<place>")
    text = re.sub(r"(made by harness )\S+( · at )[^·]+ UTC", r"\1<version>\2<now>", text)
    text = re.sub(r'("made by": ")[^"]+(",\s+"at": ")[^"]+', r"\1harness <version>\2<now>", text)
    if name.endswith(".json"):
        text = json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"
    return text


if __name__ == "__main__":
    for question in COMMANDS:
        (Path(sys.argv[2]) / question).write_text(answer(question, Path(sys.argv[1])), encoding="utf-8")
