"""A small network that says what a picture shows: object, colour, style, background.

>>> from tests.words import classifier
>>> classifier.classify(images)["object"]      # positions in names.OBJECTS
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import Conv2d, Linear, functional

from tests.mini.classifier import blemished, restored, stored

from .captions import Chooser
from .draw import render_all
from .names import BACKGROUNDS, COLOURS, OBJECTS, STYLES, Scene

WEIGHTS = Path(__file__).parent / "classifier.safetensors"
HEADS = {"object": len(OBJECTS), "colour": len(COLOURS), "style": len(STYLES), "background": len(BACKGROUNDS)}
"""Answers of each head."""


class Classifier(nn.Module):
    """Five convolutions and one linear per head."""

    def __init__(self, width: int = 24):
        super().__init__()
        self.body = nn.Sequential(
            Conv2d(3, width, 4, padding=1, stride=2), nn.ReLU(),
            Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(),
            Conv2d(2 * width, 2 * width, 4, padding=1, stride=2), nn.ReLU(),
            Conv2d(2 * width, 3 * width, 3, padding=1), nn.ReLU(),
            Conv2d(3 * width, 3 * width, 4, padding=1, stride=2), nn.ReLU(),
            nn.Flatten(), Linear(3 * width * 16, 128), nn.ReLU(),
        )  # fmt: skip
        self.heads = nn.ModuleDict({name: Linear(128, size) for name, size in HEADS.items()})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Logits `[N, size]` of every head for images `[N, 32, 32, 3]` in 0..1."""
        seen = self.body(images.permute(0, 3, 1, 2) * 2 - 1)
        return {name: head(seen) for name, head in self.heads.items()}


def _batch(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures of random scenes, and the right answer of every head `[N, 4]`."""
    choose = Chooser(generator)
    facts = [[choose.below(size) for size in HEADS.values()] for _ in range(count)]
    return render_all([Scene(*fact) for fact in facts], generator), torch.tensor(facts)


def train(steps: int = 3000, *, batch: int = 64, seed: int = 7, out: Path = WEIGHTS) -> None:
    """Train on fresh renders and write the weights in float16."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Classifier()
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        if step % 20 == 0:  # grouped by object, so many pictures at once are quicker to draw
            images, answers = _batch(20 * batch, generator)
            lots = torch.randperm(len(images), generator=generator).split(batch)
        rows = lots[step % 20]
        logits = network(blemished(images[rows], generator, blur=0.4, glare=1.4, noise=0.1))
        pairs = zip(logits.values(), answers[rows].T, strict=True)
        loss = torch.stack([functional.cross_entropy(each, answer) for each, answer in pairs]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    stored(network, out)
    load.cache_clear()


@lru_cache(maxsize=1)
def load() -> Classifier:
    """The trained classifier, float32, ready to use."""
    return restored(Classifier(), WEIGHTS)


def classify(images: Tensor) -> dict[str, Tensor]:
    """Answers `[N]` int64 of every head for images `[N, 32, 32, 3]` in 0..1."""
    return {name: each.argmax(1) for name, each in load()(images.float().cpu()).items()}


def right(images: Tensor, answers: Sequence[Mapping[str, int]]) -> Tensor:
    """Which pictures give every answer that is wanted of them, `[N]` bool."""
    seen = classify(images)
    return torch.tensor([all(int(seen[h][i]) == a for h, a in answer.items()) for i, answer in enumerate(answers)])


def accuracy(images: Tensor, answers: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Share of right answers of each head among the pictures that it was asked about."""
    seen = classify(images)
    asked = {head: [i for i, answer in enumerate(answers) if head in answer] for head in HEADS}
    return {
        head: sum(int(seen[head][i]) == answers[i][head] for i in rows) / len(rows)
        for head, rows in asked.items()
        if rows
    }


def evaluate(count: int = 2000, seed: int = 99) -> dict[str, float]:
    """Share of right answers on fresh renders."""
    images, facts = _batch(count, torch.Generator().manual_seed(seed))
    return accuracy(images, [dict(zip(HEADS, fact, strict=True)) for fact in facts.tolist()])
