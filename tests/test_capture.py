"""Hooks see and change what layers say, and never outlive the pass."""

import pytest
import torch
from torch import nn
from torch.nn import LayerNorm, Linear

from erasepro_core.capture import CapturedLayer, CaptureError, captured, hooked


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(Linear(4, 4), LayerNorm(4), Linear(4, 4))


def hooks(net: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules())


def test_inputs_and_outputs_arrive_as_the_layer_has_them(net):
    seen = {}
    x = torch.randn(3, 4)
    with hooked({net[0]: lambda i, o: seen.update(input=i, output=o)}, {net[1]: lambda i: seen.update(norm=i)}):
        net(x)
    assert torch.equal(seen["input"], x)
    assert torch.equal(seen["output"], net[0](x))
    assert torch.equal(seen["norm"], seen["output"])


def test_what_a_listener_returns_takes_the_outputs_place(net):
    x = torch.randn(3, 4)
    with hooked({net[0]: lambda i, o: o + 1}, {}):
        changed = net(x)
    assert torch.equal(changed, net[2](net[1](net[0](x) + 1)))
    assert not torch.equal(changed, net(x))


def test_hooks_are_gone_after_the_block_and_after_an_error(net):
    with hooked({net[0]: lambda i, o: None}, {net[1]: lambda i: None}):
        assert hooks(net) == 2
    assert hooks(net) == 0

    def fail(i, o):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"), hooked({net[0]: fail}, {net[1]: lambda i: None}):
        net(torch.randn(3, 4))
    assert hooks(net) == 0


def test_a_layer_that_the_pass_goes_round_is_named(net):
    token = torch.tensor([0]), torch.tensor([0])
    layers = [CapturedLayer(f"net.{i}", net[i], None, token) for i in (0, 2)]
    x = torch.randn(1, 2, 4)
    with captured(layers, lambda *_: None):
        net(x)
    with pytest.raises(CaptureError, match=r"ran past 1 of 2 layers \(the first is net.2\)"):  # noqa: SIM117
        with captured(layers, lambda *_: None):
            net[0](x)
    assert hooks(net) == 0
