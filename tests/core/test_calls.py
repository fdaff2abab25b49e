"""Flat named tensors → the arguments that a method takes, and what of its answer counts."""

from types import SimpleNamespace
from typing import Any

from harness.core.calls import Call, nested


class Recorder:
    """A module that keeps what it was given."""

    def __init__(self, answer: Any) -> None:
        self.given: dict[str, Any] = {}
        self.answer = answer

    def decode(self, **given: Any) -> Any:
        self.given = given
        return self.answer


def bound(answer: Any, **call: Any) -> Recorder:
    module = Recorder(answer)
    Call(library="diffusers", built_by="Recorder", method="decode", **call).bind(module)
    return module


def test_paths_become_mappings_and_numbers_tuples_in_their_order() -> None:
    flat = {
        "sample": 1,
        "added__text_ids": 2,
        "added__ids": 3,
        **{f"rotary__{number}": number for number in (10, 2, 0, 1)},
    }
    assert nested(flat) == {"sample": 1, "added": {"text_ids": 2, "ids": 3}, "rotary": (0, 1, 2, 10)}
    assert nested({"freqs__0__1": "b", "freqs__0__0": "a", "freqs__1__0": "c"}) == {"freqs": (("a", "b"), ("c",))}


def test_the_method_is_given_tensors_and_settings_together() -> None:
    module: Any = bound("image", settings={"num_frames": 2})
    assert module.forward(z="latents") == "image"
    assert module.given == {"num_frames": 2, "z": "latents"}


def test_only_what_is_named_of_an_answer_comes_back() -> None:
    answer = SimpleNamespace(latent_dist=SimpleNamespace(parameters="moments", mean="mean"))
    module: Any = bound(answer, returns=("latent_dist.parameters",))
    assert module.forward() == {"latent_dist.parameters": "moments"}


def test_beside_a_list_a_lone_tensor_becomes_a_tuple_so_that_neither_is_overlooked() -> None:
    module: Any = bound(SimpleNamespace(down=["a", "b"], mid="c"), returns=("down", "mid"))
    assert module.forward() == {"down": ("a", "b"), "mid": ("c",)}


def test_a_call_survives_its_file() -> None:
    call = Call(library="diffusers", built_by="VQModel", method="decode", settings={"shape": [1, 2], "x": None})
    assert Call.model_validate_json(call.model_dump_json()) == call
