"""`python -m tests.fuzz TARGET (--seconds S | --runs N)`: exit 0 when nothing was found; a find is printed and kept."""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

# Before our own modules are imported: the fuzzer is led by which branches of these were reached.
with atheris.instrument_imports(include=["harness", "tests.fuzz", "json", "tomllib"]):
    from tests.fuzz.targets import TARGETS

# An input that takes longer than this is a hang; libFuzzer prints it and ends.
SLOWEST_INPUT_S = 20
LARGEST_INPUT_BYTES = 16_384


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--runs", type=int, help="a fixed number of inputs instead")
    parser.add_argument("--corpus", type=Path, help="a folder that keeps what reached something new")
    asked = parser.parse_args(arguments)
    target = TARGETS[asked.target]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        place, corpus = Path(folder) / "place", asked.corpus or Path(folder) / "corpus"
        place.mkdir()
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(target.seeds()):
            (corpus / f"seed-{number}").write_bytes(seed)
        bound = f"-runs={asked.runs}" if asked.runs else f"-max_total_time={asked.seconds}"
        kept = tempfile.mkdtemp(prefix=f"fuzz-{asked.target}-found-")
        limits = [f"-timeout={SLOWEST_INPUT_S}", f"-max_len={LARGEST_INPUT_BYTES}"]
        options = [bound, *limits, "-seed=1", f"-artifact_prefix={kept}/"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: target.check(data, place))
        atheris.Fuzz()


main(sys.argv[1:])
