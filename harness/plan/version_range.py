"""`--browser chromium@143..153`, `--runtime onnxruntime-web@1.26..1.30`: all published versions from one to another.

An end that is the beginning of several versions is the oldest of them at the lower end and the newest at the upper one.
Pre-releases are left out, unless an end is one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness import catalog
from harness.core.asked import is_program
from harness.core.errors import UserMistake
from harness.core.nouns import Case
from harness.core.text import one_line
from harness.plan.asked_versions import Published
from harness.plan.selection import Selection

_BETWEEN = ".."
_HINT = "one range: --browser chromium@143..153, or --runtime onnxruntime-web@1.26..1.30"


@dataclass(frozen=True)
class VersionRange:
    """`name`: of the browser or of the runtime's package; `versions`: oldest first."""

    of: str  # "browser" or "runtime"
    name: str
    versions: tuple[str, ...]

    def of_case(self, case: Case) -> str | None:
        """Which of the versions a Case asks for; None: of another place, native or another browser."""
        if self.of == "browser":
            return case.browser_version if case.browser == self.name else None
        name, _, version = (case.runtime or "").rpartition("@")
        return version if name == self.name else None


def take_range(selection: Selection, published: Published) -> tuple[Selection, VersionRange]:
    """The Selection with every version of its one range in the range's place. Raises UserMistake where there is not
    exactly one, or it holds fewer than two versions."""
    asked = {"browser": selection.browser, "runtime": selection.runtime}
    ranges = [(of, typed) for of, names in asked.items() for typed in names if _is_range(typed)]
    if len(ranges) != 1:
        said = (
            "no range of versions was asked for" if not ranges else f"{len(ranges)} ranges of versions were asked for"
        )
        raise UserMistake("not_one_range", said, _HINT)
    of, typed = ranges[0]
    if len(asked[of]) > 1:
        others = ", ".join(name for name in asked[of] if name != typed)
        message = f"beside the range {one_line(typed, 80)} stands {one_line(others, 80)}"
        raise UserMistake("not_one_range", message, f"leave the other --{of} out")
    name, _, between = typed.rpartition("@")
    package = _package(of, name)
    first, last = between.split(_BETWEEN, 1)
    versions = published(package)
    if versions is None:
        message = f"which versions of {package} there are cannot be asked now: the registry gives no answer"
        raise UserMistake("no_registry", message, "try again when npm has an answer")
    found = _between(package, first, last, versions)
    return selection.model_copy(update={of: tuple(f"{name}@{version}" for version in found)}), VersionRange(
        of, name, found
    )


def _is_range(typed: str) -> bool:
    at = typed.rpartition("@")[2]
    return _BETWEEN in at and not is_program(at)


def _package(of: str, name: str) -> str:
    if of == "runtime":
        known = sorted({each for backend in catalog.backends().values() for each in backend.runtimes})
        if name not in known:
            raise catalog.unknown("runtime", name, known)
        return name
    browser = catalog.browsers().get(name)
    if browser is None:
        raise catalog.unknown("browser", name, catalog.browsers())
    if browser.package is None:
        message = f"no version of {name} can be fetched, so there is no range of them"
        raise UserMistake("no_versions", message, "chromium's can: --browser chromium@143..153")
    return browser.package


def _between(package: str, first: str, last: str, published: Sequence[str]) -> tuple[str, ...]:
    ordered = sorted(published, key=_order)
    lower, upper = _end(package, first, ordered, 0), _end(package, last, ordered, -1)
    previews = _is_preview(lower) or _is_preview(upper)
    inside = ordered[ordered.index(lower) : ordered.index(upper) + 1]
    found = tuple(version for version in inside if previews or not _is_preview(version))
    if len(found) < 2:
        said = f"{one_line(first, 40)}{_BETWEEN}{one_line(last, 40)} holds {len(found)} version{'s' * (not found)}"
        raise UserMistake("no_range", f"{said} of {package}", "the older end first, and two versions or more")
    return found


def _end(package: str, asked: str, ordered: Sequence[str], which: int) -> str:
    """Itself, or the oldest (`which` 0) or newest (-1) release that begins so."""
    if asked in ordered:
        return asked
    begins_so = [each for each in ordered if each.startswith(f"{asked}.") and not _is_preview(each)]
    if not begins_so:
        hint = catalog.unknown("version", asked, ordered).hint
        raise UserMistake("unknown_version", f"there is no {package} {one_line(asked, 60)}", hint or _HINT)
    return begins_so[which]


def _is_preview(version: str) -> bool:
    return "-" in version


def _order(version: str) -> tuple[list[int], bool, list[tuple[bool, int, str]]]:
    """Semantic versioning's order: numbers, a pre-release before its release, its parts as numbers where they are."""
    core, _, preview = version.partition("+")[0].partition("-")
    numbers = [int(part) for part in re.findall(r"\d+", core)]
    parts = [
        (not part.isdigit(), int(part) if part.isdigit() else 0, part)
        for part in (preview.split(".") if preview else ())
    ]
    return numbers, not preview, parts
