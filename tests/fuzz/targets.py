"""One small target per parser: any bytes give a value or the one error that is promised; everything else is a find.

Seeds are real messages, made by the code as it is now, so that they cannot grow stale.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import ProtocolViolation, UserMistake
from harness.core.events import Conversation, parse_event
from harness.core.nouns import PlannedCase
from harness.export.cache import read_artifact
from harness.measure.assemble import assemble
from harness.plan.selection import as_toml, make_selection, parse_spec
from harness.steps.results import results_of
from harness.store.journal import Journal, read_journal
from tests.making import make_artifact
from tests.store.made_up import case, round_records, run

CASE = case("webgpu")


@dataclass(frozen=True)
class Target:
    """`check` must return for any bytes; `seeds` gives bytes that are valid."""

    check: Callable[[bytes, Path], None]
    seeds: Callable[[], Iterator[bytes]]


def check_spec(data: bytes, place: Path) -> None:
    with contextlib.suppress(UserMistake):
        selection = make_selection(None, parse_spec(data, "spec.toml"))
        assert make_selection(None, parse_spec(as_toml(selection).encode(), "again.toml")) == selection


def seed_specs() -> Iterator[bytes]:
    yield b'model = ["bert", "vit"]\nbatch-size = [1, 8]\nbudget = "2s"\noption = {compile = true}\n'
    flags = {"model": ("./m.onnx",), "dim": {"batch": 2}, "rounds": 5, "trust_remote_code": True, "seed": 3}
    yield as_toml(make_selection(None, flags)).encode()


def check_event(data: bytes, place: Path) -> None:
    """Lines as a worker writes them: each an Event or a violation; what is legal goes through the Conversation."""
    conversation = Conversation()
    for line in data.split(b"\n"):
        with contextlib.suppress(ProtocolViolation):
            event = parse_event(line)
            assert parse_event(event.model_dump_json()) == event
            conversation.accept(event)


def seed_events() -> Iterator[bytes]:
    for outcome in ("ok", "failed"):
        told = [record["event"] for record in round_records(CASE, 1, outcome) if record["record"] == "event"]
        yield b"\n".join(event.model_dump_json().encode() for event in told)
        yield from (event.model_dump_json().encode() for event in told)


def check_journal(data: bytes, place: Path) -> None:
    """Read, assembled, and brought to results: nothing of it may raise."""
    path = place / "j.jsonl"
    path.write_bytes(data)
    found = assemble(read_journal(path).records)
    if found.run is not None:
        known = {point.case.case_id for point in found.run.plan.cases}
        results_of(found.run, [one for one in found.rounds if one.case_id in known])


def seed_journals() -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j.jsonl"
        with Journal(path) as journal:
            journal.append({"record": "run", "run": run(PlannedCase(case=CASE))})
            for record in (*round_records(CASE, 1), *round_records(CASE, 2, "failed", "crashed")):
                journal.append(record)
            ended = {"ended_at": "2026-01-02T04:00:00+00:00", "interrupted": False}
            journal.append({"record": "run_end", **ended})
        yield path.read_bytes()


def check_manifest(data: bytes, place: Path) -> None:
    folder = place / "artifact"
    folder.mkdir(exist_ok=True)
    (folder / "artifact.json").write_bytes(data)
    found = read_artifact(folder)
    if found is not None:
        for file in found.files:
            assert (folder / file.path).resolve().is_relative_to(folder.resolve())


def seed_manifests() -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "artifact"
        place.mkdir()
        yield make_artifact(place).model_dump_json().encode()
        yield make_artifact(place).model_copy(update={"onnx": {}, "hf": "hf"}).model_dump_json(indent=1).encode()


TARGETS = {
    "spec": Target(check_spec, seed_specs),
    "event": Target(check_event, seed_events),
    "journal": Target(check_journal, seed_journals),
    "manifest": Target(check_manifest, seed_manifests),
}
