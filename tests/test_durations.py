"""The limit on the time of a file of tests, and that its end says which file is over it: in a run of pytest's own."""

import json

import pytest

from tests import durations
from tests.durations import Durations, slow_files

SLOW = """
import time
import pytest

@pytest.fixture
def made():
    time.sleep(0.2)

def test_slow(made):
    time.sleep(0.2)

def test_left_out():
    pytest.skip("not here")
"""


def test_a_file_over_the_limit_is_named_and_all_are_kept(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durations, "FILE_LIMIT_S", 0.3)
    pytester.makepyfile(test_slow=SLOW, test_quick="def test_quick(): pass")
    result = pytester.inline_run("-p", "tests.durations", "--durations-file=kept.json", "-W", "ignore")
    result.assertoutcome(passed=2, skipped=1)
    kept = Durations.model_validate(json.loads((pytester.path / "kept.json").read_text()))
    assert list(kept.files) == ["test_slow.py", "test_quick.py"] and kept.files["test_slow.py"] >= 0.4
    assert kept.outcomes == {"passed": 2, "skipped": 1} and kept.skips == {"Skipped: not here": 1}
    (line,) = slow_files(kept)
    assert line.startswith("test_slow.py takes 0 s, over 0: ")


def test_what_is_within_the_limit_is_not_named() -> None:
    files = {"tests/a.py": durations.FILE_LIMIT_S + 1, "tests/b.py": durations.FILE_LIMIT_S}
    (line,) = slow_files(Durations(files=files, slowest_tests={}, outcomes={}, skips={}))
    assert line.startswith("tests/a.py takes 61 s, over 60: ")
