"""The versions that a Case's numbers depend on, as they are here and now: asked of files and of `--version`.

artifact   digest of what would be exported: the model, its inputs, the exporters' code and packages
harness    version of the harness
loop       digest of our own code and rules that take part in measuring on that side
python     the interpreter (native)
browser    where it is found and its version (page); `playwright` drives it and sets some of its flags
seeing     how it was looked at, where it was: such numbers are not those of a page in peace
others     the backend's packages, by their own names
"""

import hashlib
import platform
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from harness import catalog
from harness.core.digest import digest_of
from harness.core.nouns import Case, Plan, Policy
from harness.core.plugins import Backend
from harness.execute.seeing import NOBODY, Seeing
from harness.export.request import digest_of_request, request_for

_NONE = "not installed"
_CODE = {"native": (".py",), "page": (".js", ".mjs", ".html", ".json")}
# Versions of their own are compared by name, and types do not run.
_NOT_CODE = ("package.json", "package-lock.json", "tsconfig.json")
# How a process or browser is started and asked for its memory, who judges what comes back, and what numbers become.
_CONDUCTOR = (
    "execute/*.py", "processes/*.py", "metrics/*.py", "measure/artifacts.py", "measure/assemble.py",
    "measure/attached.py", "measure/energy.py", "measure/host.py", "measure/results.py", "measure/usage.py",
    "measure/verify.py", "core/clocks.py", "core/rounds.py", "core/statistics.py",
)  # fmt: skip


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
    versions["loop"] = digest_of([_code(backend), rules, flags])
    return versions


def _code(backend: Backend) -> list[list[str]]:
    files = [*_own_files(backend), *(path for each in _CONDUCTOR for path in (catalog.ROOT / "harness").glob(each))]
    return [
        [path.relative_to(catalog.ROOT).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()]
        for path in sorted(files)
    ]


def _own_files(backend: Backend) -> Iterator[Path]:
    """The side's code, without the other backends': a new one must not make the rest be measured again."""
    others = catalog.backends().keys() - {backend.name}
    root = catalog.ROOT / "native" if backend.side == "native" else catalog.PAGE_ROOT
    endings = _CODE[backend.side]
    for top in root.iterdir():
        if top.name == "node_modules":
            continue
        for path in (top, *top.rglob("*")) if top.is_dir() else (top,):
            parts = path.relative_to(root).parts
            # A backend's parts lie in `backends/`, and in a folder of its name where there are many.
            in_backends = parts[0] == "backends" and len(parts) > 1
            of_another = Path(parts[1]).stem in others if in_backends else parts[0] in others
            if path.is_file() and path.name.endswith(endings) and path.name not in _NOT_CODE and not of_another:
                yield path
