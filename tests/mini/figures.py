"""Figures of the unedited model: how often its pictures show what the sentence asks for.

Run it from the repository root, after ``make setup``::

    build/venv/bin/python -m tests.mini.figures
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    from tests import pack

    pack.comfy_on_cpu()

import torch
from torch import Tensor

from . import classifier, model, world
from .sample import accuracy, sample

FIGURES = Path(__file__).parent / "figures.json"
Ask = tuple[str, dict[str, int]]
"""A prompt, and the answer wanted of each head."""


def asks(kind: Callable[[world.Chooser], Ask], count: int, seed: int) -> list[Ask]:
    choose = world.Chooser(torch.Generator().manual_seed(seed))
    return [kind(choose) for _ in range(count)]


def _noun(choose: world.Chooser, *, synonyms: bool, objects: tuple[str, ...]) -> Ask:
    """Colour and object, each by its name or one of its synonyms."""
    name, colour = choose.of(objects), choose.of(world.COLOURS)
    wanted = {"object": world.OBJECTS.index(name), "colour": world.COLOURS.index(colour), "count": 0}
    if synonyms:
        name = choose.of(world.SYNONYMS.get(name, (name,)))
        colour = choose.of(world.SYNONYMS.get(colour, (colour,)))
    return f"{colour} {name}", wanted


def things(
    templates: tuple[str, ...], *, synonyms: bool = False, objects=world.SHAPES
) -> Callable[[world.Chooser], Ask]:
    """Sentences that name an object and half of the time a colour."""

    def ask(choose: world.Chooser) -> Ask:
        noun, wanted = _noun(choose, synonyms=synonyms, objects=objects)
        if choose.chance(0.5):
            noun = noun.split(" ", 1)[1]
            del wanted["colour"]
        return choose.of(templates).format(noun), wanted

    return ask


def styles(templates: tuple[str, ...]) -> Callable[[world.Chooser], Ask]:
    """Sentences that name a style only."""

    def ask(choose: world.Chooser) -> Ask:
        style = choose.of(world.STYLES)
        return choose.of(templates).format(world.ARTISTS[style]), {"style": world.STYLES.index(style), "count": 0}

    return ask


def styled_things(choose: world.Chooser) -> Ask:
    """Sentences that name style, object, colour and background, the style in many ways."""
    noun, wanted = _noun(choose, synonyms=False, objects=world.OBJECTS)
    style, ground = choose.of(world.STYLES), choose.of(world.BACKGROUNDS)
    artist = world.ARTISTS[style]
    phrases = (f"a {style} {noun}", f"a {artist} {noun}", f"a {noun} by {artist}", f"a {noun} in the style of {artist}")
    wanted |= {"style": world.STYLES.index(style), "background": world.BACKGROUNDS.index(ground)}
    return f"{choose.of(phrases)} on a {ground} background", wanted


def repeated(choose: world.Chooser) -> Ask:
    """The same thing said again and again, or followed by many quality words."""
    noun, wanted = _noun(choose, synonyms=False, objects=world.SHAPES)
    if choose.chance(0.5):
        return ", ".join([f"a {noun}"] * (2 + choose.below(5))), wanted
    chain = "best quality , nice render , simple photo , nice work , best picture , look here , quality image"
    return f"a {noun} , {chain}", wanted


def pairs(choose: world.Chooser) -> Ask:
    """Two objects side by side, each with a colour."""
    (left, wanted), (right, _) = (_noun(choose, synonyms=False, objects=world.SHAPES) for _ in range(2))
    return f"a {left} {choose.of(('and a', 'next to a'))} {right}", wanted | {"count": 1}


def plurals(choose: world.Chooser) -> Ask:
    """Sentences that call a thing by its plural, or by that of a synonym."""
    name, colour = choose.of((*world.SHAPES, "robot")), choose.of(world.COLOURS)
    wanted = {"object": world.OBJECTS.index(name), "colour": world.COLOURS.index(colour), "count": 0}
    called = [word for word in (name, *world.SYNONYMS.get(name, ())) if word in world.PLURALS]
    return choose.of(world.BARE_FRAMES).format(f"{colour} {world.PLURALS[choose.of(called)]}"), wanted


EVERY = world.SHAPES + world.PERSONS
SETS: dict[str, Callable[[world.Chooser], Ask]] = {
    "trained": things(world.FRAMES, objects=EVERY),
    "held out": things(world.HELD_OUT_TEMPLATES, objects=EVERY),
    "product's unseen": things(world.UNSEEN_TEMPLATES, objects=EVERY),
    "synonyms": things(
        world.FRAMES + world.UNSEEN_TEMPLATES, synonyms=True, objects=(*world.SHAPES, "robot", "bare robot")
    ),
    "persons": things(world.BARE_FRAMES + world.UNSEEN_BARE_TEMPLATES, objects=world.PERSONS),
    "styles": styles(world.STYLE_FRAMES[:16]),
    "unseen styles": styles(world.UNSEEN_STYLE_TEMPLATES),
    "styled things": styled_things,
    "long or repeated": repeated,
    "pairs": pairs,
    "plurals": plurals,
}


def wanted(lines: list[Ask]) -> dict[str, Tensor]:
    """Answers of each head `[N]`, -1 where a sentence leaves it open."""
    return {head: torch.tensor([answers.get(head, -1) for _, answers in lines]) for head in classifier.HEADS}


def measure(count: int, *, steps: int = 20, cfg: float = 3.0, seed: int = 1000) -> dict[str, dict[str, float]]:
    """Accuracy of each head on each set of sentences."""
    parts = model.load()
    figures = {}
    for name, kind in SETS.items():
        lines = asks(kind, count, seed)
        images = sample(*parts, [prompt for prompt, _ in lines], seed=seed, steps=steps, cfg=cfg)
        figures[name] = {head: round(share, 4) for head, share in accuracy(images, wanted(lines)).items()}
        print(f"{steps} steps, cfg {cfg}: {name}: {figures[name]}", flush=True)
    return figures


def write(training: dict[str, float] | None = None) -> None:
    """Measure everything the card quotes and write it down, beside how the model was trained."""
    before = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    figures = {
        "training": training or before.get("training"),
        "classifier on renders": classifier.evaluate(),
        "20 steps": measure(200),
        "10 steps": measure(100, steps=10, seed=5000),
        "cfg 1.5": measure(100, cfg=1.5, seed=9000),
    }
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(2)
    write()
