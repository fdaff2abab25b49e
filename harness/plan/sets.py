"""Which models a selection names: those typed, and those of families and named sets, or a fixed sample of these.

The named sets are data (`sets.json`): a list of architectures, or the most parameters that a member has.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness import catalog
from harness.core.errors import UserMistake
from harness.core.plugins import Architecture
from harness.plan.selection import Selection

# What a sample takes of every family, where the family has so many: one could be an oddity.
LEAST_PER_FAMILY = 2


@cache
def sets() -> dict[str, tuple[str, ...]]:
    """Set → its architectures, as far as the catalogue has them."""
    known = catalog.architectures()
    return {name: tuple(_members(rule, known)) for name, rule in _rules().items()}


def reasons() -> dict[str, str]:
    """Set → why it is one."""
    return {name: rule["reason"] for name, rule in _rules().items()}


def well_known() -> tuple[str, ...]:
    """Architectures that somebody chose by name for a set."""
    chosen = (name for set_name, rule in _rules().items() if "models" in rule for name in sets()[set_name])
    return tuple(dict.fromkeys(chosen))


def families() -> dict[str, tuple[str, ...]]:
    """Family → its architectures, in the catalogue's order; the largest family first."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, entry in catalog.architectures().items():
        found[entry.family].append(name)
    return {family: tuple(found[family]) for family in sorted(found, key=lambda each: (-len(found[each]), each))}


def family_named(typed: str) -> str:
    """The family as the catalogue spells it, dashes accepted; raises UserMistake with the nearest."""
    name = typed.strip().lower().replace("-", "_")
    if name not in families():
        raise catalog.unknown("family", name, families())
    return name


def set_named(typed: str) -> str:
    """The set as it is spelt here, underscores accepted; raises UserMistake with the nearest."""
    name = typed.strip().lower().replace("_", "-")
    if name not in sets():
        raise catalog.unknown("set", name, sets())
    return name


def models_asked(selection: Selection) -> tuple[str, ...]:
    """Every model of a selection, each once: those typed first, as typed, then those of sets, families and all."""
    groups = [sets()[set_named(name)] for name in selection.set]
    groups += [families()[family_named(name)] for name in selection.family]
    if selection.all:
        groups.append(tuple(catalog.architectures()))
    chosen = tuple(dict.fromkeys(name for group in groups for name in group))
    if selection.sample is not None:
        if not groups:
            raise UserMistake(
                "nothing_to_sample", "--sample chooses among many, and only --model was given",
                "add --family, --set or --all",
            )  # fmt: skip
        chosen = sample_of(chosen, selection.sample)
    return tuple(dict.fromkeys((*selection.model, *chosen)))


def sample_of(names: Sequence[str], count: int) -> tuple[str, ...]:
    """`count` of these architectures, always the same ones, in their order.

    Every family gets at least two (or all, if it has fewer) and the rest in proportion to its size; within a family
    the digest of the name decides. Raises UserMistake where `count` is too few for that.
    """
    if count >= len(names):
        return tuple(names)
    known = catalog.architectures()
    members: dict[str, list[str]] = defaultdict(list)
    for name in names:
        members[known[name].family].append(name)
    least = {family: min(len(of), LEAST_PER_FAMILY) for family, of in members.items()}
    room = count - sum(least.values())
    if room < 0:
        said = f"--sample {count} is too few for {len(members)} families, of which each gets {LEAST_PER_FAMILY}"
        raise UserMistake("sample_too_small", said, f"give at least {sum(least.values())}, or fewer families")
    shares = _shares({family: len(of) - least[family] for family, of in members.items()}, room)
    kept = {
        name for family, of in members.items() for name in sorted(of, key=_digest)[: least[family] + shares[family]]
    }
    return tuple(name for name in names if name in kept)


def _shares(sizes: dict[str, int], count: int) -> dict[str, int]:
    """`count` divided in proportion to the sizes, by largest remainders."""
    whole = sum(sizes.values())
    exact = {family: count * size / whole for family, size in sizes.items()}
    shares = {family: int(share) for family, share in exact.items()}
    most_left = sorted(exact, key=lambda family: (shares[family] - exact[family], family))
    for family in most_left[: count - sum(shares.values())]:
        shares[family] += 1
    return shares


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


@cache
def _rules() -> dict[str, Any]:
    rules: dict[str, Any] = json.loads((Path(__file__).parent / "sets.json").read_text("utf-8"))
    return rules


def _members(rule: dict[str, Any], known: dict[str, Architecture]) -> list[str]:
    if "models" in rule:
        return [name for name in rule["models"] if name in known]
    most = rule["most_parameters"]
    return [name for name, each in known.items() if each.parameters is not None and each.parameters <= most]
