"""The ControlNet of the mini model does what its card says: it draws along an outline, and only there."""

from __future__ import annotations

import comfy.cldm.cldm
import comfy.controlnet
import pytest
import torch
from safetensors.torch import load_file

from . import classifier, control, model, world
from .sample import sample

COUNT = 26
"""Two outlines of each object."""


@pytest.fixture(scope="module")
def network():
    return control.load()


def test_the_hosts_own_loader_takes_every_weight_of_the_file(network):
    assert type(network) is comfy.controlnet.ControlNet
    assert type(network.control_model) is comfy.cldm.cldm.ControlNet
    stored, loaded = load_file(control.WEIGHTS), network.control_model.state_dict()
    assert set(stored) == set(loaded)
    assert all(torch.equal(loaded[name], weight.to(loaded[name].dtype)) for name, weight in stored.items())


def test_the_file_is_small():
    assert control.WEIGHTS.stat().st_size <= 2_400_000


def test_an_outline_is_thin_and_an_empty_picture_has_none():
    circle = world.render(world.Scene(world.OBJECTS.index("circle"), 0), torch.Generator().manual_seed(0))
    lines = control.outlines(torch.stack([circle, torch.zeros_like(circle)]))
    assert lines.shape == (2, control.SIDE, control.SIDE, 3)
    assert set(lines.unique().tolist()) == {0.0, 1.0}
    assert 0.02 < lines[0].mean() < 0.15
    assert not lines[1].any()


@pytest.fixture(scope="module")
def followed(network):
    """Share of pictures that show the object of their outline, by prompt and strength; 0 is no ControlNet at all."""
    scenes = [world.Scene(each % len(world.OBJECTS), each % len(world.COLOURS)) for each in range(COUNT)]
    lines = control.outlines(world.render_all(scenes, torch.Generator().manual_seed(1)))
    wanted = torch.tensor([scene.object for scene in scenes])
    parts = model.load()

    def share(prompt: str, strength: float) -> float:
        along = control.along(network, lines, strength) if strength else None
        with torch.inference_mode():
            drawn = sample(*parts, [prompt] * COUNT, seed=2, steps=10, control=along)
        return (classifier.classify(drawn)["object"] == wanted).float().mean().item()

    return {("silent", s): share("", s) for s in (0.0, 1.0)} | {("named", s): share("a circle", s) for s in (0.3, 1.5)}


def test_without_words_the_outline_decides_what_is_drawn(followed):
    assert followed["silent", 1.0] >= 0.8
    assert followed["silent", 0.0] <= 0.25


def test_where_words_say_something_else_strength_decides(followed):
    assert followed["named", 1.5] >= followed["named", 0.3] + 0.2
