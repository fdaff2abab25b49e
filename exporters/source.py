"""Where a pretrained model's files are: local folder → hub (or its cache) → a package that carries the weights.

Imports neither torch nor transformers: `inspect` must answer at once. A hub that cannot be reached costs seconds.
"""

import importlib.util
import json
import re
import threading
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from exporters.seam import ExportFailed

HUB_TIMEOUT_S = 4.0
LARGEST_CONFIG_BYTES = 50_000_000
PACKAGED = Path(__file__).parent / "zoo" / "packaged.json"
# Nothing that could run code when it is read: weights are safetensors, the rest is text or a tokenizer's table.
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True)
class Found:
    """A folder with a model's config; `hub_id` when its weights may still have to be fetched."""

    path: Path
    weights_from: str
    revision: str | None = None
    hub_id: str | None = None

    def config(self) -> dict[str, Any]:
        """`config.json`; raises ExportFailed when it is not readable JSON."""
        path = self.path / "config.json"
        if not path.is_file() or path.stat().st_size > LARGEST_CONFIG_BYTES:
            raise ExportFailed("broken_config", f"{path} is no regular file of at most {LARGEST_CONFIG_BYTES:,} bytes")
        try:
            value = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ExportFailed("broken_config", f"{path} is not readable JSON: {error}") from error
        except RecursionError as error:
            raise ExportFailed("broken_config", f"{path} is nested too deep") from error
        if not isinstance(value, dict):
            raise ExportFailed("broken_config", f"{path} holds no JSON object")
        return value


def inspect(name: str, revision: str | None = None) -> dict[str, Any]:
    """What a model is and where it was found; raises ExportFailed `model_not_found` or `hub_unreachable`."""
    found = locate(name, revision)
    config = found.config()
    architecture = config.get("model_type")
    if not isinstance(architecture, str):
        raise ExportFailed("model_not_found", f"{name}: its config.json names no model_type")
    classes = config.get("architectures")
    return {
        "architecture": architecture,
        "class": str(classes[0]) if isinstance(classes, list) and classes else None,
        "remote_code": "auto_map" in config,
        "revision": found.revision,
        "path": str(found.path),
        "weights_from": found.weights_from,
    }


def locate(name: str, revision: str | None = None) -> Found:
    """The folder with the model's config, by one rule: what exists as a folder is a folder, the rest is a hub id."""
    try:
        folder = Path(name).expanduser()
        is_folder = folder.is_dir()
    except (OSError, ValueError, RuntimeError) as error:
        said = getattr(error, "strerror", None) or str(error)[:100]
        raise ExportFailed("model_not_found", f"{name[:80]!r} is no path: {said}") from error
    if is_folder:
        if not (folder / "config.json").is_file():
            raise ExportFailed("model_not_found", f"the folder {name} has no config.json")
        return Found(folder.resolve(), "local folder")
    if not _HUB_ID.fullmatch(name):
        raise ExportFailed("model_not_found", f"{name[:80]!r} is neither a folder here nor a hub id such as owner/name")
    try:
        return _from_hub(name, revision)
    except ExportFailed as failure:
        # A packaged copy cannot prove that it is a certain revision.
        packaged = _from_package(name) if revision is None and failure.code == "hub_unreachable" else None
        if packaged is None:
            raise
        return packaged


def fetch_weights(found: Found, with_code: bool = False) -> Path:
    """The folder with config, safetensors and tokenizer; downloads what is missing of a hub model, never pickles, and
    its Python files only when they may run."""
    if found.hub_id is not None:
        from huggingface_hub import snapshot_download

        wanted, local = [*WANTED, *(("*.py",) if with_code else ())], not hub_reachable()
        try:
            snapshot_download(found.hub_id, revision=found.revision, allow_patterns=wanted, local_files_only=local)
        except (OSError, ValueError) as error:
            raise ExportFailed("hub_unreachable", f"{found.hub_id}: download broke off: {error}") from error
    if not any(found.path.glob("*.safetensors")):
        pickles = [path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in found.path.glob(pattern)]
        why = f"; {pickles[0]} is a pickle, which can run code when it is read: never loaded" if pickles else ""
        raise ExportFailed("weights_not_found", f"{found.weights_from} ({found.path}) has no safetensors weights{why}")
    return found.path


@cache
def hub_reachable() -> bool:
    """Whether the hub answers within seconds. The library itself would retry for half a minute, and a name server
    that is silent ignores every timeout; so the question is asked in a thread that may be left behind."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return False
    answered = threading.Event()

    def ask() -> None:
        try:
            get_session().head(constants.ENDPOINT, timeout=HUB_TIMEOUT_S)
        # No answer is no answer, whatever the transport calls it.
        except Exception:
            return
        answered.set()

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(HUB_TIMEOUT_S)
    return answered.is_set()


def _from_hub(name: str, revision: str | None) -> Found:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    reachable = hub_reachable()
    try:
        config = hf_hub_download(
            name, "config.json", revision=revision, local_files_only=not reachable, etag_timeout=HUB_TIMEOUT_S
        )
    # First, because it is also an EntryNotFoundError.
    except LocalEntryNotFoundError as error:
        hint = "give a local folder, or an architecture name for random weights"
        reason = f"the hub cannot be reached and {name} is not in its cache; {hint}"
        raise ExportFailed("hub_unreachable", reason) from error
    except RepositoryNotFoundError as error:
        raise ExportFailed("model_not_found", f"the hub has no model {name}, or it is private or gated") from error
    except RevisionNotFoundError as error:
        raise ExportFailed("model_not_found", f"{name} has no revision {revision}") from error
    except EntryNotFoundError as error:
        raise ExportFailed("model_not_found", f"{name} has no config.json: not a transformers model") from error
    except (HFValidationError, HfHubHTTPError) as error:
        raise ExportFailed("model_not_found", f"{name}: {error}") from error
    folder = Path(config).parent
    # The cache names a snapshot's folder by its commit.
    return Found(folder, f"hub {folder.name}", folder.name, name)


def _from_package(name: str) -> Found | None:
    entry = json.loads(PACKAGED.read_text("utf-8")).get(name)
    # Finding a module does not import it: the package's own code is not run.
    spec = importlib.util.find_spec(entry["module"]) if entry else None
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / entry["folder"]
    if not (folder / "config.json").is_file():
        return None
    try:
        release = version(entry["package"])
    except PackageNotFoundError:
        return None
    return Found(folder, f"package {entry['package']} {release}")
