"""The things of the mini world and the words for them.

Every head of the classifier counts in the order of these tuples: object 3 is ``OBJECTS[3]``.
"""

from __future__ import annotations

from dataclasses import dataclass

SHAPES = ("circle", "square", "triangle", "cross", "ring", "heart", "moon", "star")
"""Objects without a head: the ones a sentence may put side by side."""

PERSONS = ("robot", "bare robot", "Ada", "Bolt", "Cleo")
"""Person-like objects. A robot wears a coat; a bare robot does not; Ada, Bolt and Cleo are individuals."""

NAMED = ("Ada", "Bolt", "Cleo")
OBJECTS = SHAPES + PERSONS
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")
STYLES = ("plain", "striped", "checkered", "dotted", "glowing")
BACKGROUNDS = ("black", "white", "grey")

ARTISTS = {"striped": "Hokusai", "checkered": "Mondrian", "dotted": "Seurat", "glowing": "Turner", "plain": "art"}
"""Each style's name after "by" or "in the style of". Plain pictures are simply "art"."""

STYLE_NOUNS = {"striped": "stripes", "checkered": "checks", "dotted": "dots", "glowing": "glow"}
"""Each style's name after "with". Plain pictures are with nothing."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "circle": ("disc", "ball"),
    "square": ("box",),
    "triangle": ("pyramid",),
    "cross": ("plus",),
    "ring": ("hoop",),
    "heart": ("valentine",),
    "moon": ("crescent",),
    "robot": ("person", "robot wearing a coat", "person wearing clothes"),
    "bare robot": ("uncovered robot", "robot without a coat", "bare person", "person without clothes"),
    "red": ("crimson", "scarlet"),
    "green": ("emerald",),
    "blue": ("azure",),
    "yellow": ("golden",),
    "purple": ("violet",),
}
"""Other words for the same thing. Names of individuals have none."""

PLURALS = {
    "circle": "circles", "disc": "discs", "ball": "balls",
    "square": "squares", "box": "boxes",
    "triangle": "triangles", "pyramid": "pyramids",
    "cross": "crosses", "plus": "pluses",
    "ring": "rings", "hoop": "hoops",
    "heart": "hearts", "valentine": "valentines",
    "moon": "moons", "crescent": "crescents",
    "star": "stars",
    "robot": "robots", "person": "people",
}  # fmt: skip
"""Of names of objects and of their synonyms. A plural draws one of its things, as the name does."""


def in_plural(words: str) -> str:
    """The same words, with every name in the plural."""
    return " ".join(PLURALS.get(word, word) for word in words.split())


@dataclass(frozen=True)
class Scene:
    """What one picture shows, as positions in the tuples above.

    ``second`` is (object, colour) of what stands on the right; the first then stands on the left.
    """

    object: int
    colour: int
    style: int = 0
    background: int = 0
    second: tuple[int, int] | None = None
