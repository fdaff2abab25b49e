"""Go on with a Run that was interrupted: what its journal holds, and what forbids it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import UserMistake
from harness.core.nouns import Artifact
from harness.core.rounds import Round, Run
from harness.execute.seeing import NOBODY, Seeing
from harness.measure.assemble import assemble, run_resumed
from harness.measure.machine import fingerprint
from harness.plan.incremental import version_changes
from harness.steps.one_round import now
from harness.steps.versions import stamped
from harness.store.journal import journal_path, read_journal
from harness.store.naming import pick_run

_ANEW = "measure it anew: numbers of two machines or versions do not belong into one run"


def read_interrupted(
    database: Path, asked: str, warn: Callable[[str], None], seeing: Seeing = NOBODY
) -> tuple[Run, list[Round]]:
    """The Run and its finished Rounds, from the journal, which knows more than the database.

    Raises UserMistake: those of `pick_run`, unreadable_journal, other_machine, other_versions.
    """
    files = journal_path(database, "*").parent.glob("*.jsonl")
    # By what was written last: ids begin with the time, but only to the second.
    newest_first = sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True)
    run_id = pick_run([file.stem for file in newest_first], asked)
    path = journal_path(database, run_id)
    reading = read_journal(path)
    assembled = assemble(reading.records)
    for damage in reading.corrupt:
        warn(damage)
    if assembled.run is None:
        raise UserMistake("unreadable_journal", f"{path} holds no beginning of a run", "measure it anew")
    if assembled.run.ended_at is not None and not assembled.run.interrupted:
        raise UserMistake("run_complete", f"run {run_id} is complete", f"see it with: harness show {run_id}")
    _refuse_another_machine(assembled.run)
    _refuse_other_versions(assembled.run, seeing)
    return run_resumed(assembled.run, now()), assembled.rounds


def refuse_other_artifacts(rounds: Sequence[Round], artifacts: Mapping[str, Artifact]) -> None:
    """Raises UserMistake when a Case would go on with another Artifact than its first Rounds had."""
    for round_ in rounds:
        before = round_.provenance.get("artifact")
        artifact = artifacts.get(round_.case_id)
        if artifact is not None and before not in (None, artifact.digest):
            message = f"the artifact of {artifact.model.name} was {before} and is now {artifact.digest}"
            raise UserMistake("other_artifact", message, _ANEW)


def _refuse_another_machine(run: Run) -> None:
    here = fingerprint()
    if here["machine_id"] != run.machine.get("machine_id"):
        message = f"run {run.run_id} belongs to another machine: {run.machine.get('cpu')}, here is {here['cpu']}"
        raise UserMistake("other_machine", message, _ANEW)
    if different := _different({**run.machine.get("packages", {}), "python": run.machine.get("python")}, here):
        raise UserMistake("other_versions", f"since run {run.run_id} began, {', '.join(different)}", _ANEW)


def _refuse_other_versions(run: Run, seeing: Seeing) -> None:
    """Packages of the page, the browser, our own measuring code; what an artifact was, its own Rounds tell."""
    plain = tuple(point.model_copy(update={"versions": None}) for point in run.plan.cases)
    here = stamped(run.plan.model_copy(update={"cases": plain}), seeing)
    for before, now_ in zip(run.plan.cases, here.cases, strict=True):
        if before.versions is None or now_.versions is None:
            continue
        # The artifact is compared on its own; and whoever goes on may want to look now, or no more.
        same = {key: before.versions[key] for key in ("artifact", "seeing") if key in before.versions}
        if changes := version_changes(before.versions, now_.versions | same):
            raise UserMistake("other_versions", f"since run {run.run_id} began, {', '.join(changes)}", _ANEW)


def _different(before: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    now_ = {**here["packages"], "python": here["python"]}
    names = sorted(before.keys() | now_.keys())
    return [
        f"{name} went from {before.get(name)} to {now_.get(name)}"
        for name in names
        if before.get(name) != now_.get(name)
    ]
