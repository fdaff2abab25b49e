"""`python -P -c START ROOT EXPORTER SUBJECT_FOLDER GRAPH`: the graph of an exporter in an environment of its own.

The last line on stdout is {"notes": […], "versions": {…}}, {"failed": code, "reason": …} or {"unsupported": reason}.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from exporters.seam import ExportFailed, ExportUnsupported, Limits, Subject, load, versions

ROOT = Path(__file__).parent.parent
# Where the harness is installed, its folder holds the packages of the main environment, too. So neither it nor a
# PYTHONPATH may be searched there: of ours the two packages are given, and the rest is the other environment's own.
_START = """
import importlib.util, sys
root, *arguments = sys.argv[1:]
for name in ("harness", "exporters"):
    spec = importlib.util.spec_from_file_location(name, f"{root}/{name}/__init__.py")
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
from exporters.elsewhere import main
sys.exit(main(arguments))
"""
Made = tuple[tuple[str, ...], dict[str, str]]


def make_elsewhere(python: str, name: str, places: tuple[Path, Path], limits: Limits) -> Made:
    """Notes on the graph that the exporter made, in the other interpreter, and the versions of what made it there;
    `places` are the Subject's folder and the graph's file. Raises ExportFailed or ExportUnsupported."""
    command = [python, "-P", "-c", _START, str(ROOT), name, *map(str, places)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=limits.seconds, check=False,
            preexec_fn=None if limits.bytes is None else lambda: _bound(limits.bytes),
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ExportFailed("export_timeout", f"export: not done within {limits.seconds:g} s") from error
    lines = done.stdout.strip().splitlines()
    try:
        said = json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:300]
        reason = f"{python} ended with {done.returncode}: {last}"
        raise ExportFailed("export_crashed", reason) from error
    if "unsupported" in said:
        raise ExportUnsupported(said["unsupported"])
    if "failed" in said:
        raise ExportFailed(said["failed"], said["reason"])
    return tuple(said["notes"]), said["versions"]


def _bound(most: int | None) -> None:
    import resource

    if most is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def main(arguments: list[str]) -> int:
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    name, folder, path = arguments
    try:
        module, told = load(name)
        notes = list(module.make(Subject.read(Path(folder)), Path(path), module.VARIANTS[0]))
        said: dict[str, Any] = {"notes": notes, "versions": versions(told["packages"])}
    except ExportFailed as failure:
        said = {"failed": failure.code, "reason": str(failure)}
    except ExportUnsupported as refusal:
        said = {"unsupported": str(refusal)}
    except MemoryError:
        said = {"failed": "export_memory", "reason": "export: there is not enough memory"}
    except Exception as error:
        said = {"failed": "export_failed", "reason": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    channel.write(json.dumps(said) + "\n")
    channel.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
