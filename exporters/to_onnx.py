"""transformers → ONNX through transformers' own exporter, with the eager fp32 result as the reference."""

DESCRIBE = {
    "name": "transformers",
    "title": "transformers' own ONNX exporter, static shapes",
    "formats": ["onnx"],
    "kinds": ["architecture", "pretrained"],
    "precisions": ["fp32"],
    "environment": "main",
    "needs": ["transformers", "torch", "onnx", "onnxscript", "safetensors"],
    "checks_with": ["onnxruntime"],
}

import re  # noqa: E402 - the literal opens the file
import shutil  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import torch  # noqa: E402
import transformers  # noqa: E402

from exporters.checks import broken_numbers, disagreement, flat_numbers  # noqa: E402
from exporters.graphs.run import REFERENCE_THREADS, first_line, run_onnxruntime  # noqa: E402
from exporters.quiet import quiet  # noqa: E402
from exporters.seam import ExportFailed, ExportUnsupported, Job, Product  # noqa: E402
