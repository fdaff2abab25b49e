"""The versions that a Case's numbers depend on, as they are here and now: asked of files and of `--version`.

artifact   digest of what would be exported: the model, its inputs, the exporters' versions and packages
harness    version of the harness; recorded, not compared: a release alone changes no number
loop       digest of the version of what measures on that side, that of the backend, and rules and flags
python     the interpreter (native)
browser    where it is found and its version (page); `playwright` drives it and sets some of its flags
seeing     how it was looked at, where it was: such numbers are not those of a page in peace
others     the backend's packages, by their own names
"""

import json
import platform
from functools import cache
from pathlib import Path
from typing import Any

from harness import catalog
from harness.core.digest import digest_of
from harness.core.nouns import Case, Plan, Policy
from harness.core.plugins import Backend
from harness.execute.seeing import NOBODY, Seeing
from harness.export.request import digest_of_request, request_for

_NONE = "not installed"
# What measures on each side: the loop, the worker or page and what starts it, the judge, the metrics. A backend's own
# version stands in its description. Raise one when numbers can change; a test holds every change of that code against
# the confirmed one and names the versions that it concerns (tests/contracts/measuring_code.py).
MEASURING = {"native": 1, "page": 1}
# What version 1 was before versions had numbers: path → SHA-256 of each source file. Results of that day carry a digest
# of it, so it stands for version 1, and goes when no side is at version 1 any more.
_FIRST_SOURCES = Path(__file__).with_name("first_sources.json")


def stamped(plan: Plan, seeing: Seeing = NOBODY) -> Plan:
    """The Plan with the versions of every Case that may be measured and does not have them yet."""
    # Remembered for this Plan only: a server may outlive an upgrade.
    of_place, digests = cache(_of_place), dict[str, str]()

    def versions(case: Case) -> dict[str, str]:
        request = request_for(case)
        key = request.model_dump_json()
        if key not in digests:
            digests[key] = digest_of_request(request)
        where = (case.browser, case.browser_version, case.runtime)
        return {"artifact": digests[key], **of_place(case.backend, case.platform, where, seeing)}

    cases = tuple(
        point.model_copy(update={"versions": versions(point.case)})
        if point.to_measure and point.versions is None
        else point
        for point in plan.cases
    )
    return plan.model_copy(update={"cases": cases})


def _of_place(
    backend_name: str, platform_name: str, where: tuple[str | None, str | None, str | None], seeing: Seeing
) -> dict[str, str]:
    """Name → version of all that the backend and the browser bring; `where`: browser, its version and the runtime asked
    for."""
    browser_name, browser_at, runtime = where
    backend = catalog.backends()[backend_name]
    versions = {"harness": catalog.installed_version("model-benchmark-harness") or _NONE}
    flags: list[object] = []
    if backend.side == "native":
        versions["python"] = platform.python_version()
        taking_part = (*backend.packages, *backend.extras)
        versions |= {name: catalog.installed_version(name) or _NONE for name in taking_part}
    else:
        versions |= {name: catalog.npm_version(name) or _NONE for name in backend.packages}
        if runtime is not None:
            package, _, version = runtime.rpartition("@")
            versions[package] = version
    if browser_name is not None:
        # Imported here: a native sweep imports nothing that only browsers need.
        from harness.execute.browser_version import version_without_starting
        from harness.execute.finding import at_version
        from harness.execute.flags import platform_args, platform_preferences

        browser = at_version(catalog.browsers()[browser_name], browser_at)
        flags = [platform_args(browser, platform_name), platform_preferences(browser, platform_name)]
        versions["browser"] = version_without_starting(browser, seeing.headed)
        if told := seeing.told():
            versions["seeing"] = ", ".join(told)
        if browser.driver == "playwright":
            versions["playwright"] = catalog.installed_version("playwright") or _NONE
    rules = Policy().loop().model_dump(mode="json", exclude={"slice_ns"})
    versions["loop"] = digest_of([_measuring(backend), rules, flags])
    return versions


def _measuring(backend: Backend) -> Any:
    """What stands for our own code in the digest: versions, or for version 1 the sources of then."""
    side = MEASURING[backend.side]
    if (side, backend.version) == (1, 1) and backend.name in _first_sources()["backends"]:
        sources = _first_sources()
        files = sources["both"] | sources[backend.side] | sources["backends"][backend.name]
        return sorted(files.items(), key=lambda file: Path(file[0]))
    return {backend.side: side, backend.name: backend.version}


@cache
def _first_sources() -> dict[str, Any]:
    """`both` sides' files, those of `native` and of `page`, and of `backends` by name: each path → SHA-256."""
    read: dict[str, Any] = json.loads(_FIRST_SOURCES.read_text(encoding="utf-8"))
    return read
