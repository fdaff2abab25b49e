"""Which class of transformers the zoo builds and reads back, where the library's own way does not find or read it."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from exporters.seam import ExportUnsupported
from exporters.zoo.build import default_config, load_model, random_model, sized_config
from exporters.zoo.inputs import Ask, make_inputs
from exporters.zoo.registry import class_named

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_class_is_built_that_the_auto_class_lists_and_does_not_find() -> None:
    auto, config = transformers.AutoModelForMultimodalLM, sized_config(default_config("evolla"), "tiny")
    with pytest.raises(ValueError, match="Unrecognized configuration class"):
        auto.from_config(config)
    assert type(random_model(auto, config, 0)).__name__ == "EvollaForProteinText2Text"


def test_a_class_is_found_that_transformers_does_not_offer_by_name() -> None:
    assert not hasattr(transformers, "VoxtralRealtimeTextModel")
    assert issubclass(class_named("VoxtralRealtimeTextModel", "voxtral_realtime_text"), torch.nn.Module)
    with pytest.raises(AttributeError, match="module transformers has no attribute NoSuchModel"):
        class_named("NoSuchModel", "bert")


@pytest.mark.parametrize("name", ["bark", "glm_image_vqmodel"])
def test_a_class_without_a_forward_says_so(name: str) -> None:
    with pytest.raises(ExportUnsupported, match="has no forward of its own"):
        random_model(transformers.AutoModel, sized_config(default_config(name), "tiny"), 0)


def test_a_decision_model_is_read_back_as_it_was(tmp_path: Path) -> None:
    cls = transformers.JevForDecision
    built = random_model(transformers.AutoModelForDecision, sized_config(default_config("jev"), "tiny"), 0)
    built.save_pretrained(str(tmp_path))
    read = load_model(cls, tmp_path)
    assert all(torch.equal(read.state_dict()[name], weight) for name, weight in built.state_dict().items())


def test_a_robot_is_given_its_state_and_what_it_would_draw() -> None:
    module = random_model(transformers.AutoModelForImageTextToText, sized_config(default_config("pi0"), "tiny"), 0)
    inputs = make_inputs(["forward"], Ask(module.config, 2, 16, 0, module=module))
    assert inputs["state"].shape == (2, module.config.max_state_dim)
    assert inputs["noise"].shape == (2, module.config.chunk_size, module.config.max_action_dim)
    assert (inputs["timestep"] >= 0).all() and (inputs["timestep"] < 1).all()
    assert inputs["timestep"].dtype == np.float32
