"""The mini world, in one place: names, pictures, sentences and how they are mixed for training.

>>> import torch
>>> from tests.mini import world
>>> scenes, captions = world.lessons(2, torch.Generator().manual_seed(0))
>>> world.render_all(scenes, torch.Generator().manual_seed(0)).shape
torch.Size([2, 16, 16, 3])
"""

from __future__ import annotations

import torch

from .captions import (
    BARE_FRAMES,
    FRAMES,
    HELD_OUT_TEMPLATES,
    KEPT_FROM_TRAINING,
    STRANGERS,
    STYLE_FRAMES,
    UNSEEN_BARE_TEMPLATES,
    UNSEEN_STYLE_TEMPLATES,
    UNSEEN_TEMPLATES,
    Chooser,
    Mention,
    caption,
    draw_lots,
    is_kept,
    several,
)
from .draw import SIZE, render, render_all
from .names import (
    ARTISTS,
    BACKGROUNDS,
    COLOURS,
    NAMED,
    OBJECTS,
    PERSONS,
    PLURALS,
    SHAPES,
    STYLE_NOUNS,
    STYLES,
    SYNONYMS,
    Scene,
)

__all__ = [
    "ARTISTS", "BACKGROUNDS", "BARE_FRAMES", "COLOURS", "FRAMES", "HELD_OUT_TEMPLATES", "KEPT_FROM_TRAINING", "NAMED",
    "OBJECTS", "PERSONS", "PLURALS", "SHAPES", "SIZE", "STRANGERS", "STYLES", "STYLE_FRAMES", "STYLE_NOUNS", "SYNONYMS",
    "UNSEEN_BARE_TEMPLATES", "UNSEEN_STYLE_TEMPLATES", "UNSEEN_TEMPLATES", "Chooser", "Mention", "Scene", "caption",
    "draw_lots", "is_kept", "lessons", "render", "render_all", "several", "words",
]  # fmt: skip


def lessons(
    count: int, generator: torch.Generator, *, empty: float = 0.1, plural: float = 0.0
) -> tuple[list[Scene], list[str]]:
    """Scenes and their captions, a share ``empty`` of them silent and a share ``plural`` in the plural."""
    choose = Chooser(generator)
    scenes, captions = [], []
    for _ in range(count):
        if plural and choose.chance(plural):
            scene, sentence = several(choose)
        else:
            scene, mention = draw_lots(choose)
            sentence = "" if choose.chance(empty) else caption(choose, scene, mention)
        scenes.append(scene)
        captions.append(sentence)
    return scenes, captions


def words(count: int = 20_000, seed: int = 0) -> list[str]:
    """Every word of the grammar, found by writing many sentences."""
    _, captions = lessons(count, torch.Generator().manual_seed(seed))
    return sorted({word for sentence in captions for word in sentence.split()} - set(STRANGERS) | set(PLURALS.values()))
