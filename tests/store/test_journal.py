"""The journal survives what crashes do to its end, and names other damage."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.rounds import Verdict
from harness.store.journal import Journal, journal_path, read_journal
from tests.store.made_up import case, round_records

RECORDS = round_records(case("webgpu"), 1)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = journal_path(tmp_path / "made_up.duckdb", "a-run")
    with Journal(path) as journal:
        for record in RECORDS:
            journal.append(record)
    return path


def test_lies_beside_the_database() -> None:
    assert journal_path(Path("results/harness.duckdb"), "r1") == Path("results/harness.journal/r1.jsonl")


def test_read_what_append_gave_back(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal:
        given_back = [journal.append(record) for record in RECORDS]
        journal.sync()
        assert read_journal(path).records == given_back
    found = read_journal(path)
    assert (found.records, found.torn, found.corrupt) == (given_back, None, ())


def test_what_is_not_finite_is_null(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.jsonl") as journal:
        verdict = Verdict(checked=True, passed=False, max_abs=float("nan"), max_rel=float("inf"))
        kept = journal.append({"record": "verdict", "verdict": verdict})
    assert (kept["verdict"]["max_abs"], kept["verdict"]["max_rel"]) == (None, None)


def test_torn_at_every_byte_of_the_last_line(written: Path) -> None:
    content = written.read_bytes()
    start = content[:-1].rfind(b"\n") + 1
    whole = read_journal(written).records
    for end in range(start, len(content)):
        written.write_bytes(content[:end])
        found = read_journal(written)
        assert found.corrupt == ()
        if end in (start, len(content) - 1):  # nothing of the line, or all of it but the newline
            assert found.torn is None
            assert found.records == (whole[:-1] if end == start else whole)
        else:
            assert found.torn is not None
            assert f"{written}:{len(whole)}" in found.torn
            assert found.records == whole[:-1]
        with Journal(written) as journal:
            journal.append({"record": "after"})
        healed = read_journal(written)
        assert (healed.torn, healed.corrupt) == (None, ())
        assert healed.records == [*found.records, {"record": "after"}]


@pytest.mark.parametrize("damage", [b"{broken", b"\xff\xfe", b"[1]", b'{"no": "record"}', b"", b"\x00" * 40])
def test_other_damage_is_named_and_the_rest_kept(written: Path, damage: bytes) -> None:
    lines = written.read_bytes().split(b"\n")
    whole = read_journal(written).records
    lines[2] = damage
    written.write_bytes(b"\n".join(lines))
    found = read_journal(written)
    assert found.torn is None
    assert len(found.corrupt) == 1
    assert found.corrupt[0].startswith(f"{written}:3: ")
    assert found.records == whole[:2] + whole[3:]


def test_zeros_at_the_end_are_a_torn_line(written: Path) -> None:
    whole = read_journal(written).records
    written.write_bytes(written.read_bytes() + b"\x00" * 512)
    found = read_journal(written)
    assert found.torn is not None
    assert found.records == whole


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.booleans()))))
def test_any_text_stays_on_one_line(data: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j.jsonl"
        with Journal(path) as journal:
            journal.append({"record": "event", "data": data})
        assert path.read_bytes().count(b"\n") == 1
        assert read_journal(path).records == [{"record": "event", "data": json.loads(json.dumps(data))}]
