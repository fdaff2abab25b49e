#!/usr/bin/env bash
# Made results.tar.xz, in an empty folder, with the harness of commit 7d0ab8a on PATH.
set -euo pipefail
bert=(--model bert --scale tiny --length 16)
places=(--hardware "cpu,onnxruntime,wasm,cuda" --precision "fp32,int8")
harness run "${bert[@]}" "${places[@]}" --rounds 2 --budget 400ms
harness baseline set nightly last
harness run "${bert[@]}" "${places[@]}" --rounds 3 --budget 600ms
harness run "${bert[@]}" --hardware noop --option duration_us=1000 --batch-size 1,2,8 --rounds 2 --budget 100ms
harness run "${bert[@]}" --hardware faulty --option fault=exit --option at=run --rounds 2 --budget 100ms || test $? = 1
tar -cJf results.tar.xz results
# answers/run_incremental.json: the `cases` of
#   harness run "${bert[@]}" "${places[@]}" --rounds 3 --budget 600ms --quiet off --incremental --json
