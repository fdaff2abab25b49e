"""WebGPU without a browser: ONNX Runtime's plug-in, and which adapter it gets.

The plug-in (Dawn inside) does not say which adapter it took. On Linux it takes one that Vulkan offers, so Vulkan is
asked the same question. Where the system shows no GPU, a software adapter serves, and is called software: SwiftShader
of an installed Chromium, which is what pages get there, unless VK_DRIVER_FILES says otherwise. Mesa's llvmpipe of
version 22.3 is refused by Dawn, which demands dynamic indexing of sampled images' arrays.
"""

import ctypes
import os
import struct
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import platformdirs

from harness.core.errors import Unsupported

PLUG_IN = "onnxruntime-ep-webgpu"
_INSTALL = "pip install 'model-benchmark-harness[webgpu]'"
_ALLOW_SOFTWARE = "ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER"
_CHOSEN_BY_USER = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
# Where Chromium and its kin keep their SwiftShader; the embedded one is unpacked into the cache.
_SWIFTSHADER = (
    "/usr/lib/chromium/vk_swiftshader_icd.json",
    "/usr/lib/chromium-browser/vk_swiftshader_icd.json",
    "/usr/lib64/chromium-browser/vk_swiftshader_icd.json",
    "/opt/google/chrome/vk_swiftshader_icd.json",
    "/opt/microsoft/msedge/vk_swiftshader_icd.json",
)
_CPU_TYPE = 4  # VK_PHYSICAL_DEVICE_TYPE_CPU


def plug_in(runtime: Any) -> dict[str, str]:
    """Registers the plug-in once; returns its version as {package: version}. Raises Unsupported without it."""
    try:
        import onnxruntime_ep_webgpu
    except ImportError as error:
        raise Unsupported(f"{error}: {_INSTALL}") from error
    name = onnxruntime_ep_webgpu.get_ep_name()
    if not _devices(runtime, name):
        # It only counts where there is no GPU; the adapter is then named for what it is.
        os.environ.setdefault(_ALLOW_SOFTWARE, "1")
        try:
            runtime.register_execution_provider_library(name, onnxruntime_ep_webgpu.get_library_path())
        except Exception as error:  # its exceptions share no class but this one
            raise Unsupported(f"{PLUG_IN}: {error}") from error
    found = _devices(runtime, name)
    if not found:
        raise Unsupported(f"{PLUG_IN} found no device: on Linux it needs the Vulkan loader, libvulkan.so.1")
    if sys.platform == "linux" and not _is_gpu(found[0]):
        _choose_software_driver()
    return {PLUG_IN: metadata.version(PLUG_IN)}


def provenance(runtime: Any) -> dict[str, Any]:
    """{"software": …, "adapter": {…}} as a page tells it; software is None where it is not known."""
    adapters = vulkan_adapters() if sys.platform == "linux" else []
    if not adapters:
        device = _devices(runtime, "WebGpuExecutionProvider")[0].device
        return {"software": None, "adapter": {"vendor": device.vendor, "device": f"{device.device_id:#06x}"}}
    # Dawn takes no CPU where there is a GPU.
    taken = [each for each in adapters if not each["software"]] or adapters
    names = " or ".join(each["description"] for each in taken)
    return {"software": taken[0]["software"], "adapter": {**taken[0], "description": names, **_driver()}}


def offered() -> str:
    """What there was to choose from, in words that end a sentence; empty where it is not known."""
    if sys.platform != "linux":
        return ""
    names = [each["description"] for each in vulkan_adapters()]
    return f"; Vulkan offers {', '.join(names) or 'none: install its loader and the driver of a GPU'}"


def vulkan_adapters() -> list[dict[str, Any]]:
    """What Vulkan offers this process: description, vendor and device numbers, software; empty without a loader."""
    try:
        vulkan = ctypes.CDLL("libvulkan.so.1")
    except OSError:
        return []
    asked = struct.pack("@iPIPIPIP", 1, 0, 0, 0, 0, 0, 0, 0)  # VkInstanceCreateInfo with nothing asked for
    instance, count = ctypes.c_void_p(), ctypes.c_uint32()
    if vulkan.vkCreateInstance(asked, None, ctypes.byref(instance)) != 0:
        return []
    vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
    devices = (ctypes.c_void_p * count.value)()
    vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), devices)
    found = [_described(vulkan, device) for device in devices if device]
    vulkan.vkDestroyInstance(instance, None)
    return found


def _described(vulkan: ctypes.CDLL, device: int) -> dict[str, Any]:
    properties = ctypes.create_string_buffer(4096)  # VkPhysicalDeviceProperties: 824 bytes
    vulkan.vkGetPhysicalDeviceProperties(ctypes.c_void_p(device), properties)
    _, _, vendor, number, kind, name = struct.unpack_from("@5I256s", properties.raw)
    return {
        "description": name.split(b"\0")[0].decode("utf-8", "replace"),
        "vendor": f"{vendor:#06x}",
        "device": f"{number:#06x}",
        "backend": "vulkan",
        "software": kind == _CPU_TYPE,
    }


def _driver() -> dict[str, str]:
    return next(({"driver": chosen} for name in _CHOSEN_BY_USER if (chosen := os.environ.get(name))), {})


def _devices(runtime: Any, name: str) -> list[Any]:
    return [each for each in runtime.get_ep_devices() if each.ep_name == name]


def _is_gpu(found: Any) -> bool:
    return str(found.device.type).endswith("GPU")


def _choose_software_driver() -> None:
    """Before Vulkan is first loaded: it reads the variable when an instance is made."""
    if any(os.environ.get(name) for name in _CHOSEN_BY_USER):
        return
    unpacked = Path(platformdirs.user_cache_dir("model-benchmark-harness")) / "browsers"
    kept = sorted(unpacked.glob(f"*/{Path(_SWIFTSHADER[0]).name}"), reverse=True)
    places = (*kept, *map(Path, _SWIFTSHADER))
    if driver := next((path for path in places if path.is_file()), None):
        os.environ[_CHOSEN_BY_USER[0]] = str(driver)
