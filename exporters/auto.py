"""Several exporters, tried in order until ONNX Runtime agrees with the module; which one it was is in the Artifact."""

DESCRIBE = {
    "name": "auto",
    "version": 1,
    # transformers' own knows its models best and exports nearly all that any of these can; where it fails, it is mostly
    # for code that decides by values, which torch's older exporter follows as it ran; torch's current one alone does
    # what those two cannot where layouts decide, which it can fix in the graph; optimum needs another environment.
    "tries": ["transformers", "torchscript", "torch", "optimum"],
    "takes": ["architecture", "pretrained"],
    "formats": ["onnx"],
    "environment": "main",
    "packages": ["transformers", "torch", "onnx", "onnxscript", "safetensors"],
    "install": "pip install 'model-benchmark-harness[export]'",
}
