"""A bare `.onnx`: checked, made static, copied; judged by the test data beside it, else by ONNX Runtime on the CPU."""

DESCRIBE = {
    "name": "onnx",
    "version": 1,
    "takes": ["onnx"],
    "formats": ["onnx"],
    "environment": "main",
    "packages": ["onnx", "onnxruntime", "numpy"],
    "install": "pip install 'model-benchmark-harness[export]'",
}

from pathlib import Path
from typing import Any

import onnx

from exporters.checks import broken_numbers, disagreement, flat_numbers
from exporters.graphs.data import Given, beside, make_inputs, read_given, read_test_set
from exporters.graphs.files import copy_external
from exporters.graphs.planned import graph_as_planned, inputs_as_planned
from exporters.graphs.run import run_onnxruntime
from exporters.graphs.signature import Signature, make_static
from exporters.seam import ExportFailed, Job, Product
from harness.core.nouns import Graph

FOLDER = "onnx/fp32"
GRAPH = f"{FOLDER}/model.onnx"


def export(job: Job) -> Product:
    """The graph with its data, its inputs and what it must give; raises ExportFailed or ExportUnsupported."""
    path = Path(job.request.model.path or job.request.model.name)
    job.say(f"checking {path.name}")
    with graph_as_planned(job.request.model, path) as (model, external):
        if Path(GRAPH).name in external:
            reason = f"{path.name} keeps its data in a file named {Path(GRAPH).name}; rename it"
            raise ExportFailed("broken_onnx", reason)
        signature = Signature(model)
        given, sizes, notes = _inputs(job, path, signature, [value.name for value in model.graph.output])
        signature.refuse_large(sizes)
        make_static(model, signature, sizes)
        folder = job.out / FOLDER
        folder.mkdir(parents=True)
        copy_external(external, path.parent, folder)
    onnx.save(model, str(job.out / GRAPH))
    inputs = given.inputs if given else make_inputs(signature, sizes, job.request.seed)
    inputs = {name: inputs[name] for name in signature.names}
    expected, reference, said = _expected(job, given, inputs)
    return Product(
        weights_from=f"file {path.name}",
        reference=reference,
        inputs=inputs,
        expected=expected,
        onnx={"fp32": Graph(file=GRAPH, external=tuple(f"{FOLDER}/{location}" for location in external))},
        opset=next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), None),
        notes=(*notes, *said),
    )


def _inputs(
    job: Job, path: Path, signature: Signature, outputs: list[str]
) -> tuple[Given | None, dict[str, int], tuple[str, ...]]:
    """Where the inputs come from, the dimensions' sizes, and notes. What the user gave must fit; test data that does
    not fit the sizes asked for is left aside, since the user's word is the newer one."""
    asked = signature.sizes_asked(job.request.dims)
    if job.request.inputs_path is not None:
        place = Path(job.request.inputs_path).expanduser()
        with inputs_as_planned(place, job.request.inputs_sha256):
            given = read_given(place, signature.names, outputs)
        return given, _agreed(signature, given, asked), (given.origin,)
    notes: tuple[str, ...] = ()
    test_set = beside(path)
    if test_set is not None:
        try:
            given = read_test_set(test_set, signature.names, outputs)
            return given, _agreed(signature, given, asked), (given.origin,)
        except ExportFailed as failure:
            if failure.code not in ("inputs_mismatch", "dims_differ"):
                raise
            notes = (f"{test_set.name} left aside: {failure}",)
    made = "made inputs: floats normal, integers 0 and 1, from the seed"
    return None, asked, (*notes, made)


def _agreed(signature: Signature, given: Given, asked: dict[str, int]) -> dict[str, int]:
    """The sizes that the given inputs imply; raises ExportFailed `dims_differ` when others were asked for."""
    sizes = signature.sizes_from(given.inputs)
    if wrong := [f"{name}={size}" for name, size in sizes.items() if asked.get(name, size) != size]:
        raise ExportFailed("dims_differ", f"the given inputs have {', '.join(wrong)}, --dim says otherwise")
    return sizes


def _expected(job: Job, given: Given | None, inputs: dict[str, Any]) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """What the graph must give, whose word that is, and notes."""
    job.say("running the graph once on ONNX Runtime")
    try:
        got = run_onnxruntime(job.out / GRAPH, inputs)
    except ExportFailed as refused:
        # Test data is a reference even where this runtime cannot run the graph.
        if given is None or given.outputs is None:
            raise
        return given.outputs, "test_data", (str(refused),)
    if given is not None and given.outputs is not None:
        _, sentence = disagreement(given.outputs, got)
        said = f"ONNX Runtime disagrees with the test data: {sentence}"
        return given.outputs, "test_data", (said,) if sentence else ()
    if sentence := broken_numbers(got):
        said = "on the inputs that were given" if given else "on made inputs; give real ones with --inputs"
        raise ExportFailed("degenerate_output", f"{sentence} {said}")
    flat = flat_numbers(got)
    return got, "onnxruntime-cpu-fp32", (f"{flat}: a weak check",) if flat else ()
