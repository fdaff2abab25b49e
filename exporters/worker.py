"""`python -m exporters.worker describe|inspect|export`: a request on stdin, JSON lines on stdout.

    describe  {"tasks": [Task, …]}                            → the catalogue
    inspect   {"name": hub id or folder, "revision": null}    → what it is and where it was found
              {"name": path of an .onnx}                      → {"files": it, its external data, its test data}
    export    {"request": ArtifactRequest, "out": folder, "digest": name}  → {"artifact": manifest}
              with "base": folder of the fp32 Artifact, for any other precision

Progress is said as notes (`core.events.Note`); the last line is one of
    {"event": "result", "result": {…}}
    {"event": "failed", "code": …, "reason": one sentence}
    {"event": "unsupported", "reason": one sentence}
and once it is said the exit code is 0. A traceback of an unknown error goes to stderr.

`python -m exporters.worker describe --write` remakes `exporters/catalogue.json` from the tasks in `harness/tasks`.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from pydantic import ValidationError

from exporters.seam import (
    ExportCall,
    ExportFailed,
    ExportUnsupported,
    Job,
    Product,
    exporters,
    load,
    read_describe,
    versions,
)
from harness.core.events import Note
from harness.core.nouns import Task

CATALOGUE = Path(__file__).parent / "catalogue.json"
TASKS = Path(__file__).parent.parent / "harness" / "tasks"
Say = Callable[[str], None]


def describe(request: dict[str, Any], say: Say) -> dict[str, Any]:
    """The catalogue of the known architectures for these tasks."""
    from exporters.quiet import quiet

    with quiet():
        from exporters.zoo.registry import describe as catalogue

        return catalogue(Task.model_validate(task) for task in request["tasks"])


def inspect(request: dict[str, Any], say: Say) -> dict[str, Any]:
    """What a model is, without loading it or importing torch; of a bare graph, the files that its numbers depend on."""
    name = request.get("name") if isinstance(request, dict) else None
    if not isinstance(name, str):
        raise ExportFailed("bad_request", "inspect needs a name")
    path = Path(name)
    if path.suffix == ".onnx" and not path.is_dir():
        from exporters.graphs.files import files_of, read_graph

        _, external = read_graph(path)
        return {"files": [str(file) for file in files_of(path, external)]}
    from exporters.source import inspect as look

    return look(name, request.get("revision"))


def export(request: dict[str, Any], say: Say) -> dict[str, Any]:
    """Write the Artifact and return its manifest."""
    from exporters.artifact import write_artifact

    call = ExportCall.model_validate(request)
    base = Path(call.base) if call.base else None
    job = Job(call.request, Path(call.out), call.digest, say, base, call.limits, call.environments)
    name = call.request.exporter if base is None else "quantise"
    product, told = _product(job, name)
    say("writing the artifact")
    # What checked the graph counts as well, but is not needed.
    used = {**product.versions, **versions(dict.fromkeys([*told["packages"], "onnxruntime", "numpy"]))}
    artifact = write_artifact(job, product, used)
    return {"artifact": artifact.model_dump(mode="json")}


def _product(job: Job, name: str) -> tuple[Product, dict[str, Any]]:
    """What the exporter of that name makes, and its DESCRIBE."""
    from exporters.apart import run_apart
    from exporters.attempts import product_of

    known = exporters()
    if name in known and known[name][1]["environment"] != "main":
        return product_of(job, [name]), known[name][1]
    module, told = load(name)
    if hasattr(module, "export"):
        # Without limits it may have all that this process has.
        limited = job.limits.seconds is not None or job.limits.bytes is not None
        return run_apart(lambda stage: module.export(job), "export", job.limits) if limited else module.export(
            job
        ), told
    return product_of(job, [each for each in told.get("tries", (name,)) if each in known]), told


VERBS = {"describe": describe, "inspect": inspect, "export": export}


def tasks_on_disk() -> list[dict[str, Any]]:
    """The tasks' DESCRIBE literals, read as data, in the order of their files."""
    described = (read_describe(path) for path in sorted(TASKS.glob("*.py")))
    return [task for task in described if task is not None]


def answer(verb: str, text: str, say: Say) -> dict[str, Any]:
    """The last line for a request; never raises for what a request, a model or a library did wrong."""
    try:
        if verb not in VERBS:
            raise ExportFailed("bad_request", f"no verb {verb!r}; there are {', '.join(VERBS)}")
        return {"event": "result", "result": VERBS[verb](json.loads(text), say)}
    except ExportFailed as failure:
        return {"event": "failed", "code": failure.code, "reason": str(failure)}
    except ExportUnsupported as refusal:
        return {"event": "unsupported", "reason": str(refusal)}
    except MemoryError as error:
        return {"event": "failed", "code": "out_of_memory", "reason": _one_line(error) or "there is not enough memory"}
    except (ValidationError, json.JSONDecodeError) as error:
        traceback.print_exc()
        return {"event": "failed", "code": "bad_request", "reason": f"not a request for {verb}: {_one_line(error)}"}
    except Exception as error:
        traceback.print_exc()
        return {"event": "failed", "code": "exporter_error", "reason": f"{type(error).__name__}: {_one_line(error)}"}


def main(arguments: list[str]) -> int:
    """Speak the protocol on a private duplicate of fd 1; fd 1 becomes stderr, since libraries print."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    verb = arguments[0] if arguments else ""

    def say(text: str) -> None:
        _line(channel, Note(kind="progress", text=text).model_dump(mode="json"))

    if arguments == ["describe", "--write"]:
        last = answer(verb, json.dumps({"tasks": tasks_on_disk()}), say)
        if last["event"] == "result":
            CATALOGUE.write_text(json.dumps(last["result"], indent=1) + "\n", "utf-8")
            last = {"event": "result", "result": {"written": str(CATALOGUE)}}
    else:
        _bound_memory()
        last = answer(verb, sys.stdin.readline(), say)
    _line(channel, last)
    return 0


def _bound_memory() -> None:
    """No more than the machine has, where that can be said (Linux): a graph that asks for terabytes is then refused in
    a sentence, where otherwise the system would kill this process, or another one."""
    try:
        import resource

        told = Path("/proc/meminfo").read_text("ascii")
    except (ImportError, OSError):
        return
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in told.splitlines() if line.endswith(" kB")}
    # Written private memory only: address space that is merely reserved or mapped from files is free.
    resource.setrlimit(resource.RLIMIT_DATA, (sizes["MemTotal"] + sizes["SwapTotal"], resource.RLIM_INFINITY))


def _line(channel: TextIO, message: dict[str, Any]) -> None:
    channel.write(json.dumps(message) + "\n")
    channel.flush()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
