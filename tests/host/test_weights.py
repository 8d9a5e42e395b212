"""What is read of a weight is what its layer computes with, in every form in which the host keeps weights."""

import warnings
from typing import Any

import pytest
import torch
from torch import nn

from erasepro_core import LowRankUpdate
from tests import pack as packs
from tests.artefact import normal

INPUTS, OUTPUTS = 48, 64
KINDS = "float32", "float16", "bfloat16", "fp8", "scaled fp8", "quantised tensor"


class Tiny(nn.Module):
    """Two linears of one kind, as a model that the host's patcher can load."""

    def __init__(self, kind: str):
        super().__init__()
        self.one, self.two = linear(kind, seed=0), linear(kind, seed=1)


def linear(kind: str, seed: int) -> Any:
    from tests.host import precisions

    return precisions.linear(kind, 0.3 * normal(OUTPUTS, INPUTS, seed=seed))


@pytest.fixture(params=KINDS)
def patcher(host, request):
    from comfy.model_patcher import ModelPatcher

    plain = ModelPatcher(Tiny(request.param), torch.device("cpu"), torch.device("cpu"))
    patched = plain.clone()
    update = LowRankUpdate(0.2 * normal(OUTPUTS, 3, seed=2), 0.2 * normal(3, INPUTS, seed=3))
    packs.module("nodes.host.patches")._patch(patched, {"one": update}, 1.0)
    return patched


def computed(patcher, name: str) -> torch.Tensor:
    """The weight by what the layer itself answers."""
    return patcher.model.get_submodule(name)(torch.eye(INPUTS)).T


@pytest.mark.parametrize("loaded", ["whole", "lowvram"])
def test_a_weight_is_read_as_its_layer_computes(host, patcher, loaded):
    original = host.effective_weight(patcher, "two.weight")
    before = host.effective_weight(patcher, "one.weight")
    patcher.load(torch.device("cpu"), lowvram_model_memory=0 if loaded == "lowvram" else 10**9)
    during = host.effective_weight(patcher, "one.weight")
    found, same = computed(patcher, "one"), computed(patcher, "two")
    patcher.unpatch_model(torch.device("cpu"))
    torch.testing.assert_close(during, found, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(original, same, rtol=1e-5, atol=1e-6)
    if loaded == "whole":  # what it will be is known before it is loaded, and after it has been
        torch.testing.assert_close(before, found, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(host.effective_weight(patcher, "one.weight"), found, rtol=1e-5, atol=1e-6)


def test_reading_changes_no_weight(host, patcher):
    one = patcher.model.one

    def bits() -> torch.Tensor:
        return getattr(one.weight, "_qdata", one.weight).detach().clone().view(torch.uint8)

    before = bits()
    host.effective_weight(patcher, "one.weight")
    assert torch.equal(bits(), before)


def refused(host, layer: nn.Module) -> str:
    with pytest.raises(host.WeightError) as error:
        packs.module("nodes.host.weights").refuse_packed(layer, "blocks.0.to_k", "MODEL")
    assert str(error.value).startswith("the weight of blocks.0.to_k in this MODEL should be a matrix 64 x 48, but is ")
    return str(error.value)


def test_forms_that_cannot_be_measured_are_refused_by_name(host):
    refuse = packs.module("nodes.host.weights").refuse_packed
    for kind in KINDS:
        refuse(linear(kind, seed=0), "blocks.0.to_k", "MODEL")
    four_bits = linear("quantised tensor", seed=0)
    four_bits.weight._layout_type = "TensorCoreNVFP4Layout"
    assert "QuantizedTensor of layout TensorCoreNVFP4Layout" in refused(host, four_bits)
    scaled = linear("quantised tensor", seed=0)
    scaled.pre_quant_scale = torch.ones(INPUTS)
    assert "inputs that the layer scales first (pre_quant_scale)" in refused(host, scaled)
    whole_numbers = linear("float32", seed=0)
    whole_numbers.weight = nn.Parameter(torch.zeros(OUTPUTS, INPUTS, dtype=torch.int8), requires_grad=False)
    assert "a Parameter of torch.int8 [64, 48]" in refused(host, whole_numbers)
    packed = linear("float32", seed=0)
    packed.weight = nn.Parameter(torch.zeros(OUTPUTS * INPUTS // 2, 1, dtype=torch.uint8), requires_grad=False)
    assert "a Parameter of torch.uint8 [1536, 1]" in refused(host, packed)
    own = linear("float32", seed=0)
    own.set_weight = lambda weight, inplace_update=False, seed=None: None
    assert "with a setter of its own" in refused(host, own)


def test_the_seed_is_taken_where_the_host_has_it_without_a_warning(host, monkeypatch):
    """Newer hosts keep it in comfy.utils, and warn at every call of the old place."""
    import comfy.model_patcher
    import comfy.utils

    seed = packs.module("nodes.host.weights")._seed
    known = seed("one.weight")
    real = comfy.model_patcher.string_to_seed

    def deprecated(key):
        warnings.warn("string_to_seed has moved", DeprecationWarning, stacklevel=2)
        return real(key)

    monkeypatch.setattr(comfy.utils, "string_to_seed", real, raising=False)
    monkeypatch.setattr(comfy.model_patcher, "string_to_seed", deprecated)
    assert seed("one.weight") == known
