"""What a bench leaves: one JSON with everything, and one line in the history with its headline figures."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.catalog import ROOT
from harness.measure.machine import fingerprint

HISTORY = "history.jsonl"


def describe_bench(quick: bool, seed: int) -> dict[str, Any]:
    """When, of which code, on which machine; its load now says whether others were at work."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "quick": quick,
        "seed": seed,
        "machine": fingerprint(),
        "interrupted": False,
        "sections": [],
    }


def commit() -> str | None:
    """The commit, with `-dirty` when files differ from it; null outside a repository."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.stdout.strip()


def headline(bench: dict[str, Any]) -> dict[str, float]:
    """`section/row` → value, of every row that has one."""
    return {
        f"{section['name']}/{row['name']}": row["value"]
        for section in bench["sections"]
        for row in section["rows"]
        if row["value"] is not None
    }


def write(bench: dict[str, Any], folder: Path) -> Path:
    """The whole as `<UTC time>.json`; the same bench written again replaces itself."""
    folder.mkdir(parents=True, exist_ok=True)
    name = bench["date"].replace("-", "").replace(":", "").split("+")[0]
    path = folder / f"{name}Z.json"
    path.write_text(json.dumps(bench, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path


def remember(bench: dict[str, Any], folder: Path) -> None:
    """One more line in the history."""
    line = {
        **{key: bench[key] for key in ("date", "commit", "quick", "interrupted")},
        "machine_id": bench["machine"]["machine_id"],
        "headline": headline(bench),
    }
    with (folder / HISTORY).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def recall(folder: Path, bench: dict[str, Any]) -> list[dict[str, Any]]:
    """Earlier and latest lines that can be compared with this bench: of the same machine, and as quick as it."""
    path = folder / HISTORY
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    key = (bench["machine"]["machine_id"], bench["quick"])
    return [line for line in lines if (line["machine_id"], line["quick"]) == key]
