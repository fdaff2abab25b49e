"""Specs and names from outside: a Selection, or a UserMistake with a sentence; nothing else, and soon."""

import os
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import catalog
from harness.core.errors import UserMistake
from harness.core.text import one_line
from harness.core.units import parse_duration
from harness.plan import cases
from harness.plan.cases import make_plan
from harness.plan.selection import LARGEST_SPEC_BYTES, Selection, as_toml, make_selection, parse_spec

BERT = 'model = "bert"\n'
NINES = "9" * 40


def write(folder: Path, text: str | bytes) -> Path:
    (folder / "spec.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / "spec.toml"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("model = 3", "bad_value"),
        ("model = [['bert']]", "bad_value"),
        ("model = ['bert', 3]", "bad_value"),
        ("model = 1979-05-27T07:32:00Z", "bad_value"),
        ("[model]\na = 1", "bad_value"),
        ("[model.a.b]\nc = 1", "bad_value"),
        ("", "no_model"),
        ("model = []", "no_model"),
        ("modle = 'bert'", "unknown_key"),
        ('"\\u001b[2J" = 1', "unknown_key"),
        ("k" * 10_000 + " = 1", "unknown_key"),
        (".".join("a" * 3000) + " = 1", "unknown_key"),
        (BERT + "rounds = 'many'", "bad_value"),
        (BERT + "rounds = true", "bad_value"),
        (BERT + "rounds = 2.5", "bad_value"),
        (BERT + "rounds = 0", "bad_value"),
        (BERT + "rounds = 1001", "bad_value"),
        (BERT + "rounds = 1979-05-27", "bad_value"),
        (BERT + "budget = -1", "bad_value"),
        (BERT + "budget = inf", "bad_value"),
        (BERT + "budget = '-1s'", "bad_duration"),
        (BERT + "budget = 'nan'", "bad_duration"),
        (BERT + f"budget = '{NINES * 10}s'", "bad_duration"),
        (BERT + "budget = '31000000s'", "bad_duration"),
        (BERT + "budget = '٣s'", "bad_duration"),
        (BERT + f"batch-size = {NINES}", "bad_value"),
        (BERT + "batch-size = 2147483648", "bad_value"),
        (BERT + "batch-size = true", "bad_value"),
        (BERT + "batch-size = '8'", "bad_value"),
        (BERT + "batch-size = 1.0", "bad_value"),
        (BERT + "batch-size = [1, -1]", "bad_value"),
        (BERT + "batch-size = 1\nbatch_size = 2", "bad_spec"),
        (BERT + f"length = {NINES}", "bad_value"),
        (BERT + "threads = 0", "bad_value"),
        (BERT + f"limit = {NINES}", "bad_value"),
        (BERT + "seed = -1", "bad_value"),
        (BERT + "seed = true", "bad_value"),
        (BERT + f"seed = {NINES}", "bad_value"),
        (BERT + "option = {a = [1]}", "bad_value"),
        (BERT + "option = {a = 1}", "bad_value"),
        (BERT + "option = 'a'", "bad_value"),
        (BERT + "dim = {batch = true}", "bad_value"),
        (BERT + "dim = {batch = -1}", "bad_value"),
        (BERT + "dim = [1]", "bad_value"),
        (BERT + "mode = 3", "bad_value"),
        (BERT + "refresh-older-than = true", "bad_value"),
        (BERT + "refresh-older-than = 1e300", "bad_value"),
        (BERT + "refresh-older-than = nan", "bad_value"),
        (BERT + "inputs = 3", "bad_value"),
        (BERT + "trust-remote-code = 'yes'", "bad_value"),
        (BERT + "trust-remote-code = 1", "bad_value"),
        (BERT + "seed = " + "9" * 6000, "bad_spec"),
        (BERT + BERT, "bad_spec"),
        ("a = " + "[" * 5000 + "]" * 5000, "bad_spec"),
        ("a = " + "{a=" * 3000, "bad_spec"),
        (b"\xff\xfe\x00m", "bad_spec"),
        (b'model = "\xed\xa0\x80"', "bad_spec"),
        (b"\x00" * 100, "bad_spec"),
        (b"#" * (LARGEST_SPEC_BYTES + 1), "bad_spec"),
    ],
)
def test_a_wrong_spec_is_a_mistake_with_a_sentence(tmp_path: Path, text: str | bytes, code: str) -> None:
    with pytest.raises(UserMistake) as caught:
        make_selection(write(tmp_path, text), {})
    assert caught.value.code == code
    assert one_line(caught.value.message) == caught.value.message, "one line that no terminal obeys"


@pytest.mark.parametrize("lay", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_no_spec(tmp_path: Path, lay: Any) -> None:
    lay(tmp_path / "spec.toml")
    with pytest.raises(UserMistake) as caught:
        make_selection(tmp_path / "spec.toml", {})
    assert caught.value.code == "bad_spec" and "not a file" in caught.value.message


NAMES = ["", " ", "..", "a/../b", "a\0b", "[red]x[/red]", "\x1b[31mx", "bеrt", "n" * 10_000, "org/na me", "org/n@me@2",
         "org/../../etc", "-rf", "a//b", "org/", "/org", "~nobody-here/x", "/", "~", "C:\\x",
         "./" + "n" * 5000, "./a\0b",

         "file:///etc/passwd", "https://evil.example/x", "../../../../etc/passwd"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_no_model_is_a_mistake(name: str) -> None:
    def lookup(asked: str, revision: str | None) -> Any:
        raise UserMistake("model_not_found", f"{asked[:40]!r} is not there")

    with pytest.raises(UserMistake) as caught:
        make_plan(make_selection(None, {"model": (name,), "hardware": ("noop",)}), lookup)
    said = one_line(caught.value.message, 2000)
    assert 10 < len(said) < 700 and "\x1b" not in said


@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_a_pipe_or_a_device_is_no_model_and_no_input(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "m.onnx"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    (tmp_path / "real.onnx").write_bytes(b"x")

    def real(*_: Any) -> Any:
        return {"files": [str(tmp_path / "real.onnx")]}

    given_as = ({"model": str(path)}, {"model": str(tmp_path / "real.onnx"), "inputs": str(path)})
    for flags in given_as:
        with pytest.raises(UserMistake) as caught:
            make_plan(make_selection(None, {"hardware": "noop", **flags}), real)
        assert caught.value.code == "not_a_file"


def test_inputs_of_fifty_gigabytes_are_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"x")
    with (tmp_path / "big.npz").open("wb") as file:
        file.truncate(50 * 10**9)
    flags = {"model": str(tmp_path / "m.onnx"), "inputs": str(tmp_path / "big.npz"), "hardware": "noop"}
    with pytest.raises(UserMistake) as caught:
        make_plan(make_selection(None, flags), lambda *_: {"files": [flags["model"]]})
    assert caught.value.code == "inputs_too_large"


def test_an_unreadable_graph_of_fifty_gigabytes_is_not_hashed(tmp_path: Path) -> None:
    with (tmp_path / "m.onnx").open("wb") as file:
        file.truncate(50 * 10**9)

    def refuse(*_: Any) -> Any:
        raise UserMistake("broken_onnx", "it is broken")

    (point,) = make_plan(make_selection(None, {"model": str(tmp_path / "m.onnx"), "hardware": "noop"}), refuse).cases
    assert point.case.model.identity.startswith("unreadable:50000000000-")


def test_a_sweep_of_billions_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = {"model": "bert", "hardware": "noop", "batch_size": tuple(range(1, 1001)), "length": tuple(range(1, 1001))}
    with pytest.raises(UserMistake) as caught:
        make_plan(make_selection(None, sweep), lambda *_: {})
    assert caught.value.code == "too_many_cases" and "1,000,000" in caught.value.message
    monkeypatch.setattr(cases, "MOST_POINTS", 4)
    few = make_selection(None, {**sweep, "batch_size": (1, 2), "length": (1, 2)})
    assert len(make_plan(few, lambda *_: {}).cases) == 4


KEYS = st.one_of(st.sampled_from([name.replace("_", "-") for name in Selection.model_fields]), st.text(max_size=12))
PLAIN = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.datetimes(), st.dates(), st.times(),
    st.sampled_from(["bert", "cpu", "20s", "tiny", "fp32", 1, 3]),
)  # fmt: skip
VALUES = st.recursive(
    PLAIN,
    lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(st.text(max_size=6), v, max_size=3)),
    max_leaves=6,
)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_toml_is_a_selection_or_a_mistake(values: dict[str, Any]) -> None:
    raw = tomli_w.dumps(values).encode(errors="surrogatepass")
    try:
        spec = parse_spec(raw, "spec.toml")
        selection = make_selection(None, spec)
    except UserMistake as mistake:
        assert mistake.code and mistake.message
    else:
        assert make_selection(None, parse_spec(as_toml(selection).encode(), "again.toml")) == selection


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_are_keys_and_values_or_a_mistake(raw: bytes) -> None:
    try:
        parse_spec(raw, "spec.toml")
    except UserMistake as mistake:
        assert mistake.code in ("bad_spec", "unknown_key")


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.text(max_size=30), st.from_regex(r"[0-9]{1,20}(\.[0-9]{1,20})? ?(ms|s|m|h)?", fullmatch=True)))
def test_any_text_is_a_duration_or_a_mistake(text: str) -> None:
    try:
        duration_ns = parse_duration(text)
    except UserMistake as mistake:
        assert mistake.code == "bad_duration"
    else:
        assert 0 < duration_ns <= 30 * 24 * 3600 * 10**9


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=60), st.lists(st.text(max_size=12), max_size=5))
def test_an_unknown_name_always_has_a_next_step(name: str, known: list[str]) -> None:
    mistake = catalog.unknown("thing", name, known)
    assert mistake.code == "unknown_thing" and mistake.hint
    if name in known and name:
        assert mistake.hint == f"did you mean {name}?"
    assert one_line(mistake.message) == mistake.message
