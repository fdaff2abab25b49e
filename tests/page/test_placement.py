"""The verbose log of ONNX Runtime Web, as it was seen, read for where the nodes ran."""

import json
import subprocess
from pathlib import Path
from typing import Any

MODULE = Path(__file__).parents[2] / "browser_assets" / "backends" / "ort_web" / "placement.js"
SCRIPT = f"""
const {{ parsePlacement }} = await import({json.dumps(MODULE.as_uri())});
const lines = JSON.parse(await new Response(process.stdin).text());
console.log(JSON.stringify(parsePlacement(lines)));
"""
AT = "2026-11-22 23:57:14.585400 [V:onnxruntime:, session_state.cc:1377 VerifyEachNodeIsAssignedToAnEp]"


def parsed(*lines: str) -> dict[str, Any]:
    command = ["node", "--input-type=module", "--eval", SCRIPT]
    found = subprocess.run(command, input=json.dumps(lines), capture_output=True, text=True, check=True)
    placement: dict[str, Any] = json.loads(found.stdout)
    return placement


def test_nodes_left_to_the_cpu_are_named() -> None:
    assert parsed(
        f"{AT} Node placements",
        f"{AT}  Node(s) placed on [CPUExecutionProvider]. Number of nodes: 2",
        f"{AT}   Cast (node__to_copy)",
        f"{AT}   Gather (node Gather (2))",
        f"{AT}  Node(s) placed on [WebGpuExecutionProvider]. Number of nodes: 6",
        f"{AT}   Add (node_add)",
    ) == {
        "providers": {"CPUExecutionProvider": 2, "WebGpuExecutionProvider": 6},
        "fallbacks": ["Cast (node__to_copy)", "Gather (node Gather (2))"],
        "fallback_share": 0.25,
    }


def test_webnn_counts_the_nodes_that_it_fused() -> None:
    asked = "[I:onnxruntime:, webnn_execution_provider.cc:158 GetCapability] WebNNExecutionProvider::GetCapability, "
    placement = parsed(
        f"{asked}number of partitions supported by WebNN: 2 number of nodes in the graph: 90 "
        "number of nodes supported by WebNN: 81",
        f"{AT}  Node(s) placed on [CPUExecutionProvider]. Number of nodes: 9",
        f"{AT}  Node(s) placed on [WebNNExecutionProvider]. Number of nodes: 2",
    )
    assert placement["providers"] == {"CPUExecutionProvider": 9, "WebNNExecutionProvider": 81}
    assert placement["fallback_share"] == 0.1


def test_a_log_without_placements_says_so() -> None:
    reason = "the log names no node placements"
    assert parsed("something else") == {"providers": {}, "fallbacks": [], "fallback_share": None, "reason": reason}
