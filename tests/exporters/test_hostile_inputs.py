"""Archives that lie about their size, hold pickles, or are none: refused in a sentence, and nothing is unpickled."""

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporters.graphs.npz import read_npz
from exporters.graphs.signature import LARGEST_INPUT_BYTES
from tests.exporters.asking import ask, must_export, onnx_request
from tests.exporters.test_hostile_graphs import save

ONES = np.ones((2, 3), np.float32)


class Marks:
    """Unpickling it writes a file: proof that somebody did."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def header(shape: tuple[int, ...], kind: str = "<f4") -> bytes:
    written = io.BytesIO()
    np.lib.format.write_array_header_1_0(written, {"descr": kind, "fortran_order": False, "shape": shape})
    return written.getvalue()


def archive(*members: tuple[str, bytes]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in members:
                file.writestr(zipfile.ZipInfo(name), content)
                file.NameToInfo.clear()  # else it warns of a name that stands there twice

    return write


def bomb(path: Path) -> None:
    """Two gigabytes of zeros in two megabytes."""
    zeros = bytes(2**24)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file, file.open("x.npy", "w") as member:
        member.write(header((2**29,)))
        for _ in range(2**31 // len(zeros) - 1):
            member.write(zeros)


def declared_small(path: Path) -> None:
    """The directory says 100 bytes, the member unpacks to more."""
    archive(("x.npy", header((2000,)) + bytes(8000)))(path)
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02") + 24
    content[place : place + 4] = (100).to_bytes(4, "little")
    path.write_bytes(bytes(content))


def damaged(path: Path) -> None:
    archive(("x.npy", header((2, 3)) + ONES.tobytes()))(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 255
    path.write_bytes(bytes(content))


EVAL = b"{'descr': __import__('os').system('touch PWNED'), 'fortran_order': False, 'shape': (1,)}".ljust(117) + b"\n"
WHOLE = header((2, 3)) + ONES.tobytes()
LIES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a bomb": (bomb, "inputs_too_large"),
    "terabytes that are not there": (archive(("x.npy", header((2**40, 3)) + b"1234")), "inputs_unreadable"),
    "more than its directory says": (declared_small, "inputs_unreadable"),
    "a negative size": (archive(("x.npy", header((-2, 3)) + b"1234")), "inputs_unreadable"),
    "Python objects": (lambda p: np.savez(p, x=np.array([{}], object)), "inputs_unreadable"),
    "no array": (archive(("x.npy", b"hello")), "inputs_unreadable"),
    "an endless header": (archive(("x.npy", b"\x93NUMPY\x01\x00\xff\xff{" + b"(" * 60_000)), "inputs_unreadable"),
    "a header with a call": (archive(("x.npy", b"\x93NUMPY\x01\x00" + b"\x76\x00" + EVAL)), "inputs_unreadable"),
    "names like paths": (archive(("../../x.npy", WHOLE)), "inputs_mismatch"),
    "an absolute name": (archive(("/x.npy", WHOLE)), "inputs_mismatch"),
    "another ending": (archive(("x", WHOLE)), "inputs_mismatch"),
    "a name twice": (archive(("x.npy", WHOLE), ("x.npy", WHOLE)), "inputs_unreadable"),
    "two thousand files": (archive(*((f"{n}.npy", b"") for n in range(2000))), "inputs_unreadable"),
    "nothing": (archive(), "inputs_mismatch"),
    "not a byte": (lambda p: p.write_bytes(b""), "inputs_unreadable"),
    "half an archive": (lambda p: p.write_bytes(b"PK\x03\x04" + bytes(40)), "inputs_unreadable"),
    "a flipped byte": (damaged, "inputs_unreadable"),
    "an .npy": (lambda p: p.write_bytes(WHOLE), "inputs_unreadable"),
    "other shapes": (lambda p: np.savez(p, x=np.ones((2, 4), np.float32)), "inputs_mismatch"),
    "other types": (lambda p: np.savez(p, x=np.ones((2, 3))), "inputs_mismatch"),
    "words": (lambda p: np.savez(p, x=np.array(["a", "b"])), "inputs_mismatch"),
    "a pipe": (os.mkfifo, "inputs_unreadable"),
    "a device": (lambda p: p.symlink_to("/dev/zero"), "inputs_unreadable"),
    "a folder of nothing": (Path.mkdir, "inputs_unreadable"),
}


@pytest.mark.parametrize("what", LIES)
def test_hostile_inputs_are_refused_in_one_sentence(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lay, code = LIES[what]
    lay(tmp_path / "in.npz")
    (tmp_path / "out").mkdir()
    last = ask(onnx_request(save(tmp_path / "model"), inputs_path=str(tmp_path / "in.npz")), tmp_path / "out")
    assert (last["event"], last.get("code")) == ("failed", code), last
    assert "\n" not in last["reason"] and 10 < len(last["reason"]) < 600
    assert "Traceback" not in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"in.npz", "model", "out"}


def test_inputs_that_give_no_number_are_named_as_the_users_own(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.full((2, 3), np.nan, np.float32))
    (tmp_path / "out").mkdir()
    last = ask(onnx_request(save(tmp_path / "model"), inputs_path=str(tmp_path / "in.npz")), tmp_path / "out")
    assert last["code"] == "degenerate_output" and "that were given" in last["reason"]


@pytest.mark.parametrize("where", ["raw", "member", "object array"])
def test_a_pickle_is_never_unpickled(where: str, tmp_path: Path) -> None:
    marker, path = tmp_path / "marker", tmp_path / "in.npz"
    if where == "raw":
        path.write_bytes(pickle.dumps(Marks(marker)))
    elif where == "member":
        archive(("x.npy", pickle.dumps(Marks(marker))))(path)
    else:
        np.savez(path, x=np.array([Marks(marker)], object))
    (tmp_path / "out").mkdir()
    last = ask(onnx_request(save(tmp_path / "model"), inputs_path=str(path)), tmp_path / "out")
    assert last["code"] == "inputs_unreadable"
    assert not marker.exists()
    if where == "raw":
        pickle.loads(path.read_bytes())
    else:
        with np.load(path, allow_pickle=True) as given:
            pickle.loads(given["x"]) if where == "member" else given["x"]
    assert marker.exists(), "the pickle itself works: it would have run"


@pytest.mark.parametrize("save_as", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_honest_archives_are_read(save_as: Any, order: Any, tmp_path: Path) -> None:
    x = np.asarray(np.arange(6, dtype=np.float32).reshape(2, 3), order=order)
    save_as(tmp_path / "in.npz", x=x, b=np.array(True))
    read = read_npz(tmp_path / "in.npz", ["b", "x"])
    np.testing.assert_array_equal(read["x"], x)
    assert read["b"].shape == () and read["b"].dtype == np.bool_
    assert x.nbytes < LARGEST_INPUT_BYTES
    (tmp_path / "out").mkdir()
    np.savez(tmp_path / "one.npz", x=x)
    made = must_export(onnx_request(save(tmp_path / "model"), inputs_path=str(tmp_path / "one.npz")), tmp_path / "out")
    np.testing.assert_array_equal(made.arrays("inputs")["x"], x)
