"""The catalogue as people search it: found by words, families at a glance, one line per architecture."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from harness import catalog
from harness.plan.sets import families, reasons, sets, well_known

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from harness.core.plugins import Architecture

_EXAMPLES = 6
_NEAR = 5


def find(
    words: Sequence[str], family: Iterable[str] = (), task: str | None = None, of_set: Iterable[str] = ()
) -> list[Architecture]:
    """Architectures that every word is found in (name, title, family, own task, modality, set), best names first;
    of one of these families, in one of these sets, that can do the task."""
    wanted, chosen = set(family), {name for each in of_set for name in sets()[each]}
    members = _sets_of()
    asked = [_plain(word) for word in words]
    found = [
        entry
        for name, entry in catalog.architectures().items()
        if (not wanted or entry.family in wanted)
        and (not of_set or name in chosen)
        and (task is None or task in catalog.fitting_tasks()[name])
        and _matches(asked, entry, members.get(name, ()))
    ]
    return sorted(found, key=lambda entry: _rank(asked, entry.name)) if asked else found


def nearest(words: Sequence[str]) -> list[str]:
    """Names, families, tasks and sets that are spelt much as what was typed."""
    known = {
        *catalog.architectures(),
        *families(),
        *sets(),
        *(entry.task for entry in catalog.architectures().values()),
    }
    typed = [" ".join(words), *words]
    return list(dict.fromkeys(near for each in typed for near in difflib.get_close_matches(each, known, _NEAR, 0.6)))


def models_as_json(found: Sequence[Architecture]) -> dict[str, Any]:
    """Everything that is known of those found; the families and sets of the whole catalogue."""
    members, fits = _sets_of(), catalog.fitting_tasks()
    return {
        "architectures": [
            {**entry.model_dump(mode="json"), "tasks": fits[entry.name], "sets": list(members.get(entry.name, ()))}
            for entry in found
        ],
        "families": {family: len(names) for family, names in families().items()},
        "sets": {name: {"reason": reason, "models": list(sets()[name])} for name, reason in reasons().items()},
    }


def family_tables() -> list[Table]:
    """The families, how many architectures they have and some that are well known; and the sets."""
    kinds, named = _table("family", ">architectures", "such as"), _table("set", ">architectures", "why")
    for family, names in families().items():
        examples = list(dict.fromkeys([*(name for name in well_known() if name in names), *names]))[:_EXAMPLES]
        kinds.add_row(family, str(len(names)), ", ".join(examples))
    for name, reason in reasons().items():
        named.add_row(name, str(len(sets()[name])), reason)
    return [kinds, named]


def models_table(found: Sequence[Architecture]) -> Table:
    """One line per architecture."""
    table = _table("name", ">parameters", "family", "task", "title")
    for column in table.columns:
        column.no_wrap = True  # the longest titles are cut
    for entry in found:
        table.add_row(entry.name, size(entry.parameters), entry.family, entry.task, entry.title)
    return table


def size(parameters: int | None) -> str:
    """In millions or billions, three digits; a dash where nobody could count them."""
    if parameters is None:
        return "–"
    for name, unit in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if parameters >= unit:
            value = parameters / unit
            return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {name}"
    return f"{parameters / 1e6:.2f} M"


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left")
    return table


def _sets_of() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, members in sets().items():
        for member in members:
            found[member] = (*found.get(member, ()), name)
    return found


def _matches(words: list[str], entry: Architecture, members: tuple[str, ...]) -> bool:
    text = _plain(" ".join((entry.name, entry.title, entry.family, entry.task, *entry.modalities, *members)))
    return all(word in text for word in words)


def _rank(words: list[str], name: str) -> tuple[bool, bool, bool]:
    plain = _plain(name)
    return plain not in words, not any(plain.startswith(word) for word in words), not any(w in plain for w in words)


def _plain(text: str) -> str:
    return text.lower().replace("-", "_")
