"""MLCommons' load generator, single stream, on work of a known duration; it imports nothing of ours.

python loadgen_loop.py FOLDER WORK_US SECONDS      → one JSON line; FOLDER takes its logs
"""

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import mlperf_loadgen


def main() -> None:
    folder, work_ns, seconds = Path(sys.argv[1]), int(float(sys.argv[2]) * 1000), float(sys.argv[3])

    def issue(queries: list[Any]) -> None:
        for query in queries:
            end = time.perf_counter_ns() + work_ns
            while time.perf_counter_ns() < end:
                pass
            mlperf_loadgen.QuerySamplesComplete([mlperf_loadgen.QuerySampleResponse(query.id, 0, 0)])

    settings = mlperf_loadgen.TestSettings()
    settings.scenario = mlperf_loadgen.TestScenario.SingleStream
    settings.mode = mlperf_loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = int(seconds * 1000)
    settings.min_query_count = 100
    settings.single_stream_expected_latency_ns = work_ns
    outputs = mlperf_loadgen.LogOutputSettings()
    outputs.outdir, outputs.copy_summary_to_stdout = str(folder), False
    logs = mlperf_loadgen.LogSettings()
    logs.log_output, logs.enable_trace = outputs, False
    sut = mlperf_loadgen.ConstructSUT(issue, lambda: None)
    qsl = mlperf_loadgen.ConstructQSL(1024, 1024, lambda samples: None, lambda samples: None)
    mlperf_loadgen.StartTestWithLogSettings(sut, qsl, settings, logs, "")
    summary = (folder / "mlperf_log_summary.txt").read_text()
    found = dict(re.findall(r"^(.+?)\s*: (.+)$", summary, re.M))
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
