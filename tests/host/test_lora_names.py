"""Keys of a file at SD1.5's layout, as the stock loader maps them on a UNet of that layout. Small, random weights."""

from dataclasses import replace

import pytest
import torch

from erasepro_core import LowRankUpdate, UpdateSet
from erasepro_core.files import pack, unpack
from erasepro_core.solution import Side
from tests.artefact import example, normal

SD15 = {
    "model_channels": 32,
    "channel_mult": [1, 2, 4, 4],
    "num_res_blocks": [2, 2, 2, 2],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    "context_dim": 24,
}


@pytest.fixture(scope="module")
def model(comfy_library):
    from tests.mini.model import UNET_CONFIG, Mini

    config = Mini({**UNET_CONFIG, **SD15})
    config.set_inference_dtype(torch.float32, None)
    return config.get_model({}, "", torch.device("cpu"))


@pytest.fixture(scope="module")
def report(model):
    """An erasure of every text-conditioned linear, each update unlike every other."""
    from erasepro_core.families import FAMILIES

    keys = list(model.state_dict())
    family = next(family for family in FAMILIES if family.name == "sd1")
    updates = {
        name: LowRankUpdate(normal(len(model.get_parameter(f"{name}.weight")), 2, seed=n), normal(2, 24, seed=100 + n))
        for n, name in enumerate(family.inputs([], keys)[0].layers)
    }
    made = example()
    layers = [replace(made.solution.layers[0], name=name, side=Side.DIFFUSION_MODEL) for name in updates]
    residuals = dict.fromkeys(updates, next(iter(made.residuals.values())))
    solution = replace(made.solution, updates=UpdateSet("sd1", {}, updates), layers=tuple(layers))
    return replace(made, solution=solution, residuals=residuals, fingerprints={})


def test_the_file_has_the_names_of_kohyas_trainer(report):
    tensors, _ = pack(report, "float32")
    assert len(tensors) == 3 * 32
    assert all("_attentions_" in name for name in tensors)
    assert not any("input_blocks" in name for name in tensors)


def test_the_stock_loader_puts_every_update_on_its_layer(model, report):
    import comfy.lora

    known = comfy.lora.model_lora_keys_unet(model, {})
    loaded = comfy.lora.load_lora(dict(pack(report, "float32")[0]), known)
    updates = report.solution.updates.diffusion_model
    assert set(loaded) == {f"{name}.weight" for name in updates}
    for name, update in updates.items():
        up, down, *_ = loaded[f"{name}.weight"].weights
        torch.testing.assert_close(up @ down, update.dense())


def test_such_a_file_is_read_back_onto_the_same_layers(report):
    back = unpack(*pack(report, "float32"))
    assert back.solution.updates.checksum() == report.solution.updates.checksum()
