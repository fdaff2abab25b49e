"""Named questions: the SQL files in `queries/`, each of which runs in any DuckDB shell as it stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import catalog
from harness.core.imported import is_imported
from harness.store.naming import pick_run
from harness.store.query import named_queries, run_query
from harness.store.results import run_ids

# Every question takes its rows from these two, so what they do not show it does not see.
_VIEWS = ("performance_results_view", "performance_results_all_view")
_IMPORTED = "performance_results_imported_view"


@dataclass(frozen=True)
class Question:
    """One file: `title` is the first line of its leading comment, `details` the rest of that comment as one line."""

    name: str
    title: str
    details: str
    sql: str


@dataclass(frozen=True)
class Narrowing:
    """What a question is narrowed to; empty: everything.

    The names, and the Run, are of the results that it may look at; `where` is SQL on the columns of its answer.
    """

    models: Sequence[str] = ()
    families: Sequence[str] = ()
    platforms: Sequence[str] = ()
    run_id: str | None = None
    where: str | None = None


def questions() -> dict[str, Question]:
    """Name → Question, of all files in the folder."""
    return {name: _read(name, sql) for name, sql in named_queries().items()}


def question_named(name: str) -> Question:
    """Raises UserMistake, unknown_question, with the nearest name."""
    known = questions()
    if name not in known:
        raise catalog.unknown("question", name, known)
    return known[name]


def ask(path: Path, question: Question, narrowing: Narrowing | None = None) -> tuple[list[str], list[list[Any]]]:
    """(column names, rows) of the answer. `run_id` may be the beginning of one, or `last`.

    Raises UserMistake as `run_query` and `pick_run`.
    """
    return run_query(path, narrowed(path, question, narrowing or Narrowing()))


def narrowed(path: Path, question: Question, narrowing: Narrowing) -> str:
    """The question's SQL as it is asked. Raises UserMistake as `pick_run`."""
    run_id = None if narrowing.run_id is None else pick_run(run_ids(path), narrowing.run_id)
    return _narrowed(question, narrowing, run_id)


def _read(name: str, sql: str) -> Question:
    lines = []
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    title, *details = lines or [""]
    return Question(name=name, title=title.removesuffix("."), details=" ".join(details), sql=sql)


def _narrowed(question: Question, narrowing: Narrowing, run_id: str | None) -> str:
    """The question's own text where nothing narrows it; else with the views hidden behind narrower ones of the same
    name, which is what a common table expression does to a view in all that it surrounds."""
    columns = {
        "model_name": narrowing.models,
        "model_family": narrowing.families,
        "hardware_type": narrowing.platforms,
        "run_id": () if run_id is None else (run_id,),
    }
    inside = " AND ".join(
        f"{column} IN ({', '.join(map(_quoted, wanted))})" for column, wanted in columns.items() if wanted
    )
    if not inside and narrowing.where is None:
        return question.sql
    # Of what was imported nothing is verified: who names such a Run asks for it, and its doubts say so.
    instead = {_VIEWS[0]: _IMPORTED} if run_id is not None and is_imported(run_id) else {}
    hidden = ", ".join(f"{view} AS (FROM main.{instead.get(view, view)} WHERE {inside or 'true'})" for view in _VIEWS)
    text = question.sql.rstrip().removesuffix(";")
    # New lines around the condition, so that a comment in it ends where it does.
    outside = "" if narrowing.where is None else f"WHERE (\n{narrowing.where}\n)"
    return f"WITH {hidden}\nSELECT * FROM (\n{text}\n) {outside}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
