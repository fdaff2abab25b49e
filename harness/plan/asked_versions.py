"""Versions that somebody asks for by name: `chromium@147`, `chromium@/opt/mine/chrome`, `onnxruntime-web@1.29.0`.

A version is resolved to an exact one when the Plan is made, so that a Case means the same tomorrow. `147` is the newest
published version that begins so.
"""

import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from harness import catalog
from harness.core.asked import is_program
from harness.core.errors import UserMistake
from harness.core.plugins import Backend
from harness.core.text import one_line
from harness.core.visits import DEVICE_NAME

# npm package → its published versions, oldest first; None where nobody can be asked now.
Published = Callable[[str], Sequence[str] | None]
_SHOWN = 12


def nobody_asked(package: str) -> None:
    """A `Published` that asks nobody: versions are taken as they are typed."""


def browser_asked(typed: str, published: Published) -> tuple[str, str | None]:
    """Name, and exact version or path; raises UserMistake for a name, version or path that nobody has."""
    name, _, at = typed.partition("@")
    browser = catalog.browsers().get(name)
    if browser is None:
        raise catalog.unknown("browser", name, catalog.browsers())
    if not at:
        return name, None
    if browser.driver == "attach":
        refuse_bad_device_name(at)
        return name, at
    if is_program(at):
        path = str(Path(at).expanduser().absolute())
        if shutil.which(path) is None:
            raise UserMistake(
                "no_such_file", f"there is no program {one_line(path)}", f"write {name}@/path/to/a/browser"
            )
        return name, path
    return name, at if browser.package is None else _exact(browser.package, at, published)


def refuse_bad_device_name(name: str) -> None:
    """Raises UserMistake for what could not stand in a URL, a file's name and a line of a table."""
    if not re.fullmatch(DEVICE_NAME, name):
        hint = "small letters, digits and dashes, at most 32: --device phone,tablet-2"
        raise UserMistake("bad_device_name", f"{one_line(name, 60)!r} is not a device's name", hint)


def runtimes_asked(typed: Iterable[str], published: Published) -> tuple[str, ...]:
    """Each as `package@exact version`; raises UserMistake for what no page backend lets anyone choose."""
    known = sorted({name for backend in catalog.backends().values() for name in backend.runtimes})
    found = []
    for each in typed:
        package, _, version = each.rpartition("@")
        if package not in known:
            raise catalog.unknown("runtime", package or each, known)
        if not version:
            raise UserMistake("no_version", f"{each!r} names no version", f"write {package}@1.2.3")
        found.append(f"{package}@{_exact(package, version, published)}")
    return tuple(dict.fromkeys(found))


def runtimes_of(backend: Backend, asked: Sequence[str]) -> Sequence[str | None]:
    """The runtimes among those asked for that this backend can load; [None] for its own where there are none."""
    return [each for each in asked if each.rpartition("@")[0] in backend.runtimes] or [None]


def _exact(package: str, asked: str, published: Published) -> str:
    versions = published(package)
    if versions is None and not re.fullmatch(r"\d+\.\d+\.\d+\S*", asked):
        message = f"which {package} {one_line(asked, 60)} is cannot be asked now: the registry gives no answer"
        raise UserMistake("no_registry", message, f"write the whole version: {package}@1.2.3")
    if versions is None or asked in versions:  # fetching it will say
        return asked
    begins_so = [each for each in versions if each.startswith(f"{asked}.") and "-" not in each]
    if begins_so:
        return begins_so[-1]
    hint = catalog.unknown("version", asked, versions).hint or ""
    if not hint.startswith("did you mean"):
        shown = [each for each in versions if "-" not in each or len(versions) <= _SHOWN]
        hint = f"published: {one_line(', '.join(shown[-_SHOWN:]), 400)}"
    raise UserMistake("unknown_version", f"there is no {package} {one_line(asked, 60)}", hint)
