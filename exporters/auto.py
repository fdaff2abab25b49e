"""Several exporters, tried in order until ONNX Runtime agrees with the module; which one it was is in the Artifact."""

DESCRIBE = {
    "name": "auto",
    "takes": ["architecture", "pretrained"],
    "formats": ["onnx"],
    "environment": "main",
    "packages": ["transformers", "torch", "onnx", "onnxscript", "safetensors"],
    "install": "pip install 'model-benchmark-harness[export]'",
}

# transformers' own knows its models best; torch's current exporter alone is stricter about data-dependent code; its
# older one fixes what a run decided, so it comes late; optimum needs an environment of its own.
ORDER = ("transformers", "torch", "torchscript", "optimum")
