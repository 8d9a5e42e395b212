"""What goes wrong in the middle of a solve leaves model, CLIP and hooks as they were, and the next run works."""

from collections import Counter
from typing import Any

import pytest
import torch

from tests import pack as packs
from tests.host.families import ALL_DIRECTIONS, REQUEST, quick

OUT_OF_MEMORY = torch.OutOfMemoryError("made up: out of memory")


class StoppedError(Exception):
    """Stands for what the host raises when somebody presses Cancel."""


@pytest.fixture(scope="module")
def tiny(comfy_library):
    from tests.host.families import models

    with quick():
        yield models.MODELS["sd1"]()


@pytest.fixture(scope="module")
def solve(tiny):
    def run() -> Any:
        with torch.inference_mode():
            return packs.module("nodes.solve").solve_and_check(*tiny, REQUEST, ALL_DIRECTIONS)

    return run


@pytest.fixture(scope="module")
def good(solve):
    return solve()


def state(both: Any) -> tuple:
    """Every weight by its bits, every hook and every patch of a MODEL and CLIP."""
    model, clip = both
    roots = model.model, clip.cond_stage_model
    weights = [weight.clone() for root in roots for weight in root.state_dict().values()]
    modules = [module for root in roots for module in root.modules()]
    hooks = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in modules)
    options = [getattr(module, "enable_attention_masks", None) for module in modules]
    return weights, hooks, options, dict(model.patches), dict(clip.patcher.patches)


@pytest.fixture
def as_before(tiny, solve, good):
    """Checks, after a fault, that nothing is left of it."""
    before = state(tiny)
    yield
    after = state(tiny)
    assert all(map(torch.equal, before[0], after[0]))
    assert after[1:] == before[1:]
    assert solve().solution.updates.checksum() == good.solution.updates.checksum()


def failing_at(monkeypatch, owner: Any, name: str, call: int, error: Exception) -> Counter:
    """Lets the n-th call of a function fail; says how often it was called."""
    real, calls = getattr(owner, name), Counter()

    def sometimes(*args: Any, **kwargs: Any) -> Any:
        calls[name] += 1
        if calls[name] == call:
            raise error
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, sometimes)
    return calls


def test_a_stop_at_any_layer_leaves_nothing_behind(tiny, solve, good, monkeypatch):
    progress = packs.module("nodes.host.progress")
    before, stops, layer = state(tiny), 0, 0
    while True:
        layer += 5
        with monkeypatch.context() as patch:
            failing_at(patch, progress, "throw_exception_if_processing_interrupted", layer, StoppedError())
            try:
                report = solve()
            except StoppedError:
                stops += 1
                after = state(tiny)
                assert all(map(torch.equal, before[0], after[0]))
                assert after[1:] == before[1:]
                continue
        assert report.solution.updates.checksum() == good.solution.updates.checksum()
        break
    assert stops >= 3


PLACES = {
    "the first encoding": ("encode", 1),
    "an encoding in a trial": ("encode", 3),
    "the check": ("encode", 6),
}


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("place", PLACES)
def test_out_of_memory_while_encoding_leaves_nothing_behind(solve, monkeypatch, place):
    name, call = PLACES[place]
    with monkeypatch.context() as patch:
        failing_at(patch, packs.module("nodes.host").HostPath, name, call, OUT_OF_MEMORY)
        with pytest.raises(torch.OutOfMemoryError):
            solve()


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("call", [1, 4])
def test_out_of_memory_while_solving_a_layer_leaves_nothing_behind(solve, monkeypatch, call):
    with monkeypatch.context() as patch:
        failing_at(patch, torch.linalg, "eigh", call, OUT_OF_MEMORY)
        with pytest.raises(torch.OutOfMemoryError):
            solve()


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("call", [1, 7])
def test_an_exception_inside_the_hosts_encoder_leaves_nothing_behind(tiny, solve, monkeypatch, call):
    encoder = tiny[1].cond_stage_model.get_submodule("clip_l.transformer.text_model.encoder.layers.1")
    with monkeypatch.context() as patch:
        calls = failing_at(patch, encoder, "forward", call, RuntimeError("made up: a broken encoder"))
        with pytest.raises(RuntimeError, match="a broken encoder"):
            solve()
    assert calls["forward"] == call
    vars(encoder).pop("forward", None)  # the patch puts back a bound method


@pytest.mark.usefixtures("as_before")
def test_a_check_that_fails_hands_out_no_erasure(solve, monkeypatch):
    with monkeypatch.context() as patch:
        failing_at(patch, packs.module("nodes.solve"), "verify", 1, OUT_OF_MEMORY)
        with pytest.raises(torch.OutOfMemoryError):
            solve()
