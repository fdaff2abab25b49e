"""What looking after a database did and found, as lines for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.core.text import one_line
from harness.core.units import human_bytes


def archive_lines(did: Mapping[str, Any]) -> list[str]:
    """Of `harness db archive`."""
    if not did["samples"]:
        lines = [f"no samples of rounds before {did['before']}: nothing to archive"]
    else:
        lines = [
            f"{did['samples']:,} samples of {did['rounds']:,} rounds before {did['before']} are in "
            f"{_count(len(did['files']), 'file')} of {human_bytes(did['archived_bytes'])}; queries see them as before",
            f"database: {human_bytes(did['bytes_before'])}, now {human_bytes(did['bytes_after'])}",
        ]
    return lines + _unregistered(did)


def maintain_lines(did: Mapping[str, Any]) -> list[str]:
    """Of `harness db maintain`."""
    rows, artifacts = did["rows"], did["artifacts"]
    told = ", ".join(f"{name} {count:,}" for name, count in rows.items() if count)
    journal = did["journal"]
    return [
        f"database: {human_bytes(did['bytes_before'])}, now {human_bytes(did['bytes_after'])} ({told or 'no rows'})",
        f"archive: {human_bytes(did['archive']['bytes'])}; journal: {human_bytes(journal['bytes'])} of "
        f"{_count(journal['runs'], 'run')}",
        f"artifacts: {artifacts['kept']} of {human_bytes(artifacts['kept_bytes'])} (limit "
        f"{human_bytes(artifacts['limit_bytes'])}), {artifacts['removed']} of "
        f"{human_bytes(artifacts['removed_bytes'])} removed",
        *([f"left by killed processes, removed: {', '.join(did['leftovers'])}"] if did["leftovers"] else []),
        *_unregistered(did["archive"]),
    ]


def check_lines(found: Mapping[str, Any]) -> list[str]:
    """Of `harness db check`: a block per finding, then what was looked at."""
    lines = []
    for one in found["findings"]:
        mark = "wrong" if one["wrong"] else "note"
        example = f", e.g. {one_line(one['example'], 200)}" if one["example"] else ""
        lines.append(f"{mark}: {one_line(one['what'], 400)} ({one['where']}: {one['count']:,}{example})")
        if one["next"]:
            lines.append(f"  {one['next']}")
    wrong = sum(one["wrong"] for one in found["findings"])
    looked = ", ".join(f"{count:,} {name}" for name, count in found["looked_at"].items())
    verdict = f"{_count(wrong, 'finding')} that must be mended" if wrong else "nothing is wrong"
    return [*lines, f"{found['database']}: {verdict}; looked at {looked or 'nothing'}"]


def _unregistered(did: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    if did["cleared"]:
        lines.append(f"archive: {_count(len(did['cleared']), 'unfinished or superfluous file')} removed")
    if did["unknown"]:
        told: Sequence[str] = did["unknown"]
        lines.append(f"archive: {_count(len(told), 'file')} that the database knows nothing of, kept: {told[0]}")
    return lines


def _count(n: int, word: str) -> str:
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"
