"""A small network that says what a picture shows: object, colour, style, background, and which shapes are present.

>>> from tests.mini import classifier
>>> classifier.classify(images)["object"]      # positions in world.OBJECTS
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import Conv2d, Linear, functional

from . import world

WEIGHTS = Path(__file__).parent / "classifier.safetensors"
HEADS = {
    "object": len(world.OBJECTS),
    "colour": len(world.COLOURS),
    "style": len(world.STYLES),
    "background": len(world.BACKGROUNDS),
    "count": 2,
}
"""Answers of each head. ``count`` is 0 for one object, 1 for two; object and colour then speak of the left one."""

SIDES = {"left": len(world.OBJECTS), "right": len(world.OBJECTS)}
"""Two more heads, for pictures with two objects."""


Network = TypeVar("Network", bound=nn.Module)


class Classifier(nn.Module):
    """Four convolutions and one linear per head."""

    def __init__(self, width: int = 24):
        super().__init__()
        self.body = nn.Sequential(
            Conv2d(3, width, 3, padding=1), nn.ReLU(),
            Conv2d(width, 2 * width, 3, padding=1, stride=2), nn.ReLU(),
            Conv2d(2 * width, 2 * width, 3, padding=1), nn.ReLU(),
            Conv2d(2 * width, 3 * width, 3, padding=1, stride=2), nn.ReLU(),
            nn.Flatten(), Linear(3 * width * 16, 96), nn.ReLU(),
        )  # fmt: skip
        self.heads = nn.ModuleDict({name: Linear(96, size) for name, size in (HEADS | SIDES).items()})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Logits `[N, size]` of every head for images `[N, 16, 16, 3]` in 0..1."""
        seen = self.body(images.permute(0, 3, 1, 2) * 2 - 1)
        return {name: head(seen) for name, head in self.heads.items()}


def facts(scene: world.Scene) -> tuple[int, ...]:
    """The right answer of every head, in the order of HEADS and SIDES; -100 where a head has nothing to say."""
    if scene.second is None:
        return scene.object, scene.colour, scene.style, scene.background, 0, -100, -100
    return -100, scene.colour, scene.style, scene.background, 1, scene.object, scene.second[0]


def blemished(
    images: Tensor, generator: torch.Generator, *, blur: float = 0.5, glare: float = 1.8, noise: float = 0.12
) -> Tensor:
    """What generated pictures have and renders lack: a little blur, the glare of strong guidance, and noise.

    Args:
        blur, glare, noise: the most of each.
    """

    def each(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(images), 1, 1, 1, generator=generator)

    smooth = functional.avg_pool2d(images.permute(0, 3, 1, 2), 3, 1, 1, count_include_pad=False).permute(0, 2, 3, 1)
    soft = torch.lerp(images, smooth, each(0, blur))
    glaring = (soft - 0.5) * each(0.85, glare) + 0.5
    return (glaring + each(0, noise) * torch.randn(images.shape, generator=generator)).clamp(0, 1)


def _random_scene(choose: world.Chooser) -> world.Scene:
    colours, ground = len(world.COLOURS), choose.below(len(world.BACKGROUNDS))
    style = choose.below(len(world.STYLES))
    if choose.chance(0.75):
        return world.Scene(choose.below(len(world.OBJECTS)), choose.below(colours), style, ground)
    left, right = (choose.below(len(world.OBJECTS if choose.chance(0.3) else world.SHAPES)) for _ in range(2))
    style = style if choose.chance(0.3) else 0
    return world.Scene(left, choose.below(colours), style, ground, (right, choose.below(colours)))


def _batch(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    choose = world.Chooser(generator)
    scenes = [_random_scene(choose) for _ in range(count)]
    return world.render_all(scenes, generator), torch.tensor([facts(scene) for scene in scenes])


def train(steps: int = 2500, *, batch: int = 64, seed: int = 7, out: Path = WEIGHTS) -> None:
    """Train on fresh renders and write the weights in float16."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Classifier()
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        images, answers = _batch(batch, generator)
        logits = network(blemished(images, generator))
        losses = [
            functional.cross_entropy(each, answer) for each, answer in zip(logits.values(), answers.T, strict=True)
        ]
        optimizer.zero_grad()
        torch.stack(losses).sum().backward()
        optimizer.step()
        schedule.step()
    stored(network, out)
    load.cache_clear()


def stored(network: nn.Module, out: Path) -> None:
    """Writes the weights in float16."""
    save_file({key: value.half().contiguous() for key, value in network.state_dict().items()}, out)


def restored(network: Network, weights: Path) -> Network:
    """The network with the weights of a file, float32, ready to use."""
    network.load_state_dict({key: value.float() for key, value in load_file(weights).items()})
    return network.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def load() -> Classifier:
    """The trained classifier, float32, ready to use."""
    return restored(Classifier(), WEIGHTS)


def classify(images: Tensor) -> dict[str, Tensor]:
    """Answers `[N]` int64 of every head of HEADS for images `[N, 16, 16, 3]` in 0..1."""
    answers = {name: each.argmax(1) for name, each in load()(images.float().cpu()).items()}
    answers["object"] = torch.where(answers["count"].bool(), answers["left"], answers["object"])
    return {name: answers[name] for name in HEADS}


def present(images: Tensor) -> Tensor:
    """Which objects a picture shows, `[N, 13]` bool: one, or two."""
    logits = load()(images.float().cpu())
    single = functional.one_hot(logits["object"].argmax(1), len(world.OBJECTS)).bool()
    sides = [functional.one_hot(logits[side].argmax(1), len(world.OBJECTS)).bool() for side in SIDES]
    return torch.where(logits["count"].argmax(1, keepdim=True).bool(), sides[0] | sides[1], single)


def evaluate(count: int = 2000, seed: int = 99) -> dict[str, float]:
    """Share of right answers on fresh renders, for each head that has something to say."""
    images, answers = _batch(count, torch.Generator().manual_seed(seed))
    logits = load()(images)
    scores = {}
    for (name, each), answer in zip(logits.items(), answers.T, strict=True):
        asked = answer >= 0
        scores[name] = round((each.argmax(1)[asked] == answer[asked]).float().mean().item(), 4)
    return scores
