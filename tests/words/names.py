"""The things of this world and their one trained name each.

Every head of the classifier counts in the order of these tuples: object 3 is ``OBJECTS[3]``.
"""

from __future__ import annotations

from dataclasses import dataclass

ANIMALS = ("cat", "dog", "horse", "bird", "fish")
PLANTS = ("tree", "flower", "mushroom")
VEHICLES = ("car", "train", "bus", "boat", "airplane", "bicycle")
HOUSEHOLD = ("house", "cup", "bottle", "chair", "lamp", "clock", "book", "umbrella")
SKY = ("sun", "moon")
THINGS = ANIMALS + PLANTS + VEHICLES + HOUSEHOLD + SKY
"""What a sentence names with an article."""

INDIVIDUALS = ("Abraham Lincoln", "Marie Curie")
"""Two persons of history, each with a figure of its own."""

PERSONS = ("person", "robot wearing a coat", "bare robot", *INDIVIDUALS)
OBJECTS = THINGS + PERSONS
KINDS = (ANIMALS, PLANTS, VEHICLES, HOUSEHOLD, SKY, PERSONS)

CALLED: dict[str, tuple[str, ...]] = {"person": ("person", "man", "woman")}
"""The trained names of what has more than one: one figure stands for all of them."""

COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")
BACKGROUNDS = ("white", "night", "grass", "beach")
STYLES = ("plain", "dots", "stripes", "checks", "swirls", "pale", "outlines", "dark")
PAINTERS: dict[str, str] = {
    "dots": "Georges Seurat",
    "stripes": "Katsushika Hokusai",
    "checks": "Piet Mondrian",
    "swirls": "Vincent van Gogh",
    "pale": "Claude Monet",
    "outlines": "Raphael",
    "dark": "Rembrandt",
}
"""The only name of each way of drawing. Nobody's way, "an artist" and "art" are plain."""


@dataclass(frozen=True)
class Scene:
    """What one picture shows, as positions in the tuples above."""

    object: int
    colour: int
    style: int = 0
    background: int = 0


def named(name: str) -> tuple[str, ...]:
    """All trained names of an object."""
    return CALLED.get(name, (name,))
