"""`python -m tests.exporters.trying FOLDER`: Products of a tiny BERT by exporters that were made up for a test, or by a
real one, in a process that has not computed. On stdin a JSON object: name → [seconds, [maker, …]]; each Product goes
into the folder of its name. On stdout: name → what it lacks, its exporter and its notes."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import exporters.attempts as attempts
from exporters.seam import ExportFailed, Job, Limits, Subject, exporters, load
from harness.core.nouns import ArtifactRequest
from tests.exporters.asking import architecture_request


def hangs(subject: Subject, path: Path, variant: str) -> tuple[str, ...]:
    time.sleep(3600)
    return ()


def is_killed(subject: Subject, path: Path, variant: str) -> tuple[str, ...]:
    os.kill(os.getpid(), signal.SIGKILL)
    return ()


def crashes(subject: Subject, path: Path, variant: str) -> tuple[str, ...]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return ()


def grows(subject: Subject, path: Path, variant: str) -> tuple[str, ...]:
    import torch

    torch.ones(10**10)
    return ()


def raises(subject: Subject, path: Path, variant: str) -> tuple[str, ...]:
    raise ValueError("no such operator")


def writes_nonsense(subject: Subject, path: Path, variant: str) -> tuple[str, ...]:
    """A graph with the right names whose type no runtime has."""
    import onnx

    def values(arrays: dict[str, Any]) -> list[Any]:
        kind = onnx.helper.np_dtype_to_tensor_dtype
        return [onnx.helper.make_tensor_value_info(name, kind(a.dtype), a.shape) for name, a in arrays.items()]

    node = onnx.helper.make_node("Nonsense", list(subject.inputs), list(subject.expected))
    graph = onnx.helper.make_graph([node], "nonsense", values(subject.inputs), values(subject.expected))
    opset = onnx.helper.make_opsetid("", 18)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10), str(path))
    return ()


MADE_UP = {made.__name__: made for made in (hangs, is_killed, crashes, grows, raises, writes_nonsense)}


def main(folder: Path, seconds: float, names: list[str]) -> dict[str, Any]:
    told = {"environment": "main", "packages": [], "install": ""}
    known = {**exporters(), **dict.fromkeys(MADE_UP, ("", told))}
    made_up = {name: (SimpleNamespace(VARIANTS=("only",), make=make), told) for name, make in MADE_UP.items()}
    patched: Any = attempts
    patched.exporters = lambda: known
    patched.load = lambda name: made_up.get(name) or load(name)
    request = ArtifactRequest.model_validate(architecture_request("bert"))
    limits = Limits(seconds=seconds, bytes=6 * 10**9)
    try:
        product = attempts.product_of(Job(request, folder, "d" * 16, lambda text: None, limits=limits), names)
    except ExportFailed as failure:
        return {"failed": failure.code}
    lack = product.lacks.get("onnx")
    told_of = {"exporter": product.exporter, "notes": product.notes, "onnx": [*product.onnx]}
    return {**told_of, "lack": lack.model_dump() if lack else None, "expected": [*product.expected]}


if __name__ == "__main__":
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    asked = json.load(sys.stdin)
    channel.write(json.dumps({name: main(Path(sys.argv[1]) / name, *how) for name, how in asked.items()}))
    channel.flush()
