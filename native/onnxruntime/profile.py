"""ONNX Runtime's own profile: a file of events, read for the last runs in it.

`Session` events named `model_run` are the runs, `Node` events the kernels on the executor's thread, in whole
microseconds. A node with a graph inside (If, Loop) spans its inner nodes: those are taken off its own time. What is
not in any node: the executor between kernels, the copy of inputs and outputs, and Python.
"""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from harness.core.events import Operator

_WITH_GRAPHS = ("If", "Loop", "Scan")
_INSERTED = "InsertedPrecisionFreeCast"
Event = dict[str, Any]


def last_runs(path: Path, runs: int) -> list[Event]:
    """The nodes' events within the last `runs` runs; those of the session's making and of warm-up are dropped.

    Raises ValueError when the file has fewer runs.
    """
    events = json.loads(path.read_text("utf-8"))
    windows = [event for event in events if (event["cat"], event["name"]) == ("Session", "model_run")][-runs:]
    if len(windows) < runs:
        raise ValueError(f"the profile has {len(windows)} runs of {runs}")
    began = windows[0]["ts"]
    return [event for event in events if event["cat"] == "Node" and event["ts"] >= began]


def operators(nodes: list[Event], asked: str) -> list[Operator]:
    """Self time and calls by operator and provider; a fallback is what ran elsewhere than on `asked`."""
    taken: dict[tuple[str, str], int] = defaultdict(int)
    calls: Counter[tuple[str, str]] = Counter()
    for node, self_us in _self_times(nodes):
        kind = (node["args"]["op_name"], node["args"]["provider"])
        taken[kind] += self_us * 1000
        calls[kind] += 1
    return [
        Operator(operator=name, device=provider, count=calls[name, provider], self_ns=spent, fallback=provider != asked)
        for (name, provider), spent in sorted(taken.items(), key=lambda each: -each[1])
    ]


def computed_in(nodes: list[Event]) -> dict[str, Any]:
    """{"computed_in": {type of the first float input: nodes}, "casts_inserted": n, "doubts": [words]} of one run of an
    fp16 graph. The CPU provider has few fp16 kernels; around the others ORT puts Casts that the graph has not.
    """
    types: Counter[str] = Counter()
    casts = 0
    for node in nodes:
        if node["args"]["op_name"] == "Cast":
            casts += node["name"].startswith(_INSERTED)
            continue
        named = [next(iter(each)) for each in node["args"].get("input_type_shape", []) if each]
        if found := next((name for name in named if name.startswith(("float", "bfloat"))), None):
            types["float32" if found == "float" else found] += 1
    behind = f"{types['float32']} of {types.total()} nodes, behind {casts} Casts that ONNX Runtime put in"
    doubts = [f"of an fp16 graph, computed in fp32 on this CPU: {behind}"] if types["float32"] else []
    return {"computed_in": dict(types), "casts_inserted": casts, "doubts": doubts}


def _self_times(nodes: list[Event]) -> list[tuple[Event, int]]:
    """Each node with its own microseconds: parents come first and end last."""
    own = [[node, node["dur"]] for node in sorted(nodes, key=lambda each: (each["ts"], -each["dur"]))]
    around: list[list[Any]] = []
    for entry in own:
        node = entry[0]
        while around and node["ts"] >= around[-1][0]["ts"] + around[-1][0]["dur"]:
            around.pop()
        if around:
            around[-1][1] -= node["dur"]
        if node["args"]["op_name"] in _WITH_GRAPHS:
            around.append(entry)
    return [(node, max(0, spent)) for node, spent in own]
