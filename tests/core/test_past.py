"""Flat tensors and a cache: the same names out as in, in the order of the layers."""

from typing import Any

from harness.core.past import call, flat_past, split_past

GIVEN = {
    "input_ids": 0, "past_key_values.0.key": 1, "past_key_values.0.value": 2, "past_key_values.1.key": 3,
    "past_key_values.1.value": 4,
}  # fmt: skip


class Layer:
    def __init__(self, keys: int, values: int) -> None:
        self.keys, self.values = keys, values


class Cache:
    def __init__(self, layers: list[tuple[int, int]]) -> None:
        self.layers = [Layer(*pair) for pair in layers]


def test_what_is_flattened_is_split_again() -> None:
    plain, layers = split_past(GIVEN)
    assert (plain, layers) == ({"input_ids": 0}, [(1, 2), (3, 4)])
    assert plain | flat_past(layers) == GIVEN


def test_the_cache_that_the_module_made_comes_out_by_layer() -> None:
    def module(input_ids: int, past_key_values: Any, use_cache: bool) -> dict[str, Any]:
        assert use_cache
        for layer in past_key_values.layers:
            layer.keys, layer.values = layer.keys * 10, layer.values * 100
        return {"logits": input_ids, "past_key_values": past_key_values}

    made = call(module, GIVEN, Cache)
    assert {name: value for name, value in made.items() if name.startswith("present")} == {
        "present.0.key": 10, "present.0.value": 200, "present.1.key": 30, "present.1.value": 400,
    }  # fmt: skip
    assert made["logits"] == 0


def test_without_a_cache_the_module_is_called_as_it_is() -> None:
    assert call(lambda **given: given, {"pixel_values": 1}, Cache) == {"pixel_values": 1}
