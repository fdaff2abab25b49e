"""The options of the PyTorch backend: compile, channels_last, autocast; each refuses where it would mean nothing."""

import contextlib
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from harness.core.errors import Unsupported
from harness.core.nouns import Case

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast_of(case: Case, device: str) -> contextlib.AbstractContextManager[Any]:
    """The context to run in, which does nothing where the option is absent.

    A Case's precision is what its outputs are judged by, so autocast to bf16 is a way to compute bf16, not fp32. Raises
    Unsupported for any other pair.
    """
    asked = case.options.get("autocast")
    if not asked:
        return contextlib.nullcontext()
    if case.precision not in AUTOCAST or asked not in (True, case.precision):
        raise Unsupported(
            f"autocast={asked} with precision {case.precision}: it computes in bf16 or fp16, so ask for that precision"
            " too (--precision bf16 --option autocast=bf16); the weights then stay in fp32"
        )
    return torch.autocast(device, AUTOCAST[case.precision])


def images_last(inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The inputs, the 4-D ones in the layout channels_last."""
    return {
        name: tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor
        for name, tensor in inputs.items()
    }


def to_channels_last(module: nn.Module, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Change the weights of `module` in place; returns the inputs, the 4-D ones in that layout.

    Raises Unsupported where there is no 2-D convolution or no input with four dimensions.
    """
    images = any(tensor.dim() == 4 for tensor in inputs.values())
    if not images or not any(isinstance(each, nn.Conv2d) for each in module.modules()):
        raise Unsupported("channels_last is a layout of 4-D images and 2-D convolutions: this model has no such pair")
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return images_last(inputs)


def import_compiler() -> None:
    """What torch.compile imports when it is first asked, which is a second or more."""
    import torch._dynamo
    import torch._inductor.compile_fx  # noqa: F401


def compiled(module: nn.Module, option: str | bool, device: str, folder: Path) -> tuple[Any, dict[str, Any]]:
    """`module` compiled when it is first called, and provenance {"mode", "cache", "compile_threads"}.

    The cache is a new folder in `folder`, so that `first` has the whole of compiling in every Round. Raises Unsupported
    for a mode that torch does not know, and on a CPU without a C++ compiler.
    """
    from torch import _inductor
    from torch._inductor import config
    from torch._inductor.cpp_builder import get_cpp_compiler

    modes = sorted(_inductor.list_mode_options())
    mode = "default" if option is True else str(option)
    if mode not in modes:
        raise Unsupported(f"compile={mode}: PyTorch {torch.__version__} knows {', '.join(modes)}")
    if device == "cpu":
        try:
            get_cpp_compiler()
        except Exception as error:  # InvalidCxxCompiler, and whatever looking for one raises
            raise Unsupported(f"torch.compile: {error}: install a C++ compiler (apt install g++)") from error
    cache = folder / "inductor"
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(cache)
    # Helper processes would outlive the compiling: they would be in the memory of the samples, and fork in a zygote.
    config.compile_threads = 1
    told = {"mode": mode, "cache": "empty when the round began", "compile_threads": 1}
    return torch.compile(module, mode=None if mode == "default" else mode), told
