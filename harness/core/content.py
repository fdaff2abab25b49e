"""What a local model and given inputs are, told by content: one rule for who plans and who exports.

The one file of this room that reads files: both sides must see the same of them, and have only this room in common.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

# Inputs are one inference's; the exporters read no more than this either.
LARGEST_INPUTS_BYTES = 4 * 1024**3
_LOADED_FILES = ("*.json", "*.safetensors", "*.txt", "*.model")
_CODE_FILES = ("**/*.py",)
_UNREADABLE = "unreadable:"
_HEAD_BYTES = 1_000_000


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_loaded(folder: Path, with_code: bool) -> list[Path]:
    """The files of a model's folder that loading reads, its Python files only where they may run."""
    patterns = (*_LOADED_FILES, *(_CODE_FILES if with_code else ()))
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def identity_of(folder: Path, files: Sequence[Path]) -> str:
    """Of contents, and of names but that of a graph which comes first: a graph that is renamed is the same graph."""
    whole = hashlib.sha256()
    for number, path in enumerate(files):
        name = path.relative_to(folder).as_posix() if number or path.suffix != ".onnx" else "graph"
        whole.update(f"{name}\0{sha256_of(path)}\0".encode())
    return f"sha256:{whole.hexdigest()}"


def identity_of_unreadable(path: Path) -> str:
    """Of a file's size and first bytes: what cannot be read as a graph may be endless."""
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(_HEAD_BYTES)).hexdigest()
    return f"{_UNREADABLE}{path.stat().st_size}-{head}"


def is_of_unreadable(identity: str) -> bool:
    """Whether it names a file that could not be read as a graph."""
    return identity.startswith(_UNREADABLE)


def files_of_inputs(path: Path) -> list[Path]:
    """The file, or all files in the folder."""
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def sha256_of_inputs(files: Sequence[Path]) -> str:
    """Of the names and contents of inputs that a user gave."""
    return hashlib.sha256("\0".join(f"{file.name}\0{sha256_of(file)}" for file in files).encode()).hexdigest()
