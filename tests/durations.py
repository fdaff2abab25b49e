"""How long each file of tests took: kept as a file, and what takes too long is named at the end of the run."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

FILE_LIMIT_S = 60.0
_MOST_TESTS = 50


class Durations(BaseModel):
    """Seconds of setup, call and teardown together; `outcomes` counts tests, `skips` those by reason."""

    files: dict[str, float]  # the slowest first
    slowest_tests: dict[str, float]
    outcomes: dict[str, int]
    skips: dict[str, int]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--durations-file", type=Path, default=None, help="keep the durations in this JSON file")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """`terminalreporter`: pytest's own, which has every report of the run, also those of xdist's processes."""
    reports = [(kind, each) for kind, some in terminalreporter.stats.items() for each in some]
    durations = durations_of([(kind, each) for kind, each in reports if isinstance(each, pytest.TestReport)])
    if (file := config.getoption("--durations-file")) is not None:
        file.write_text(durations.model_dump_json(indent=1), "utf-8")
    for line in slow_files(durations):
        terminalreporter.write_line(line, yellow=True)


def durations_of(reports: list[tuple[str, pytest.TestReport]]) -> Durations:
    """(kind, report): `kind` is empty for a phase that is no test's outcome."""
    files, tests = defaultdict[str, float](float), defaultdict[str, float](float)
    outcomes, skips = Counter[str](), Counter[str]()
    for kind, report in reports:
        files[report.nodeid.partition("::")[0]] += report.duration
        tests[report.nodeid] += report.duration
        if kind:
            outcomes[kind] += 1
        if kind == "skipped":
            skips[report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)] += 1
    return Durations(
        files=_slowest(files), slowest_tests=_slowest(tests, _MOST_TESTS), outcomes=dict(outcomes), skips=dict(skips)
    )


def _slowest(seconds: Mapping[str, float], most: int | None = None) -> dict[str, float]:
    """The slowest first, in tenths of a second."""
    return {name: round(s, 1) for name, s in sorted(seconds.items(), key=lambda item: -item[1])[:most]}


def slow_files(durations: Durations) -> list[str]:
    """A line for each file over the limit, the slowest first."""
    return [
        f"{file} takes {seconds:.0f} s, over {FILE_LIMIT_S:.0f}: cut it, share what it makes, or mark it long"
        for file, seconds in durations.files.items()
        if seconds > FILE_LIMIT_S
    ]
