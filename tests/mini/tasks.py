"""What is erased from the mini model in demo and benchmarks, and the sentences that ask for it afterwards.

In a pattern `{}` is the concept; `{colour}`, `{shape}` and `{style}` are filled with things that the task leaves alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import torch

from . import world
from .captions import HELD_OUT_TEMPLATES, UNSEEN_TEMPLATES
from .names import COLOURS, OBJECTS, SHAPES, STYLES

Answer = dict[str, int]
"""What the classifier's heads must all say."""


@dataclass(frozen=True)
class Patterns:
    """Where one sort of concept stands in a sentence."""

    explicit: tuple[str, ...]
    """Plain sentences that name it."""
    unseen: tuple[str, ...]
    """Sentences that neither the solve nor the model's own training has seen."""
    pair: tuple[str, ...]
    """Two objects in one sentence."""


_UNSEEN = (*HELD_OUT_TEMPLATES, *UNSEEN_TEMPLATES)
THING = Patterns(
    (
        "a photo of a {}",
        "a {}",
        "a picture of a {}",
        "a painting of a {}",
        "a {} on a white background",
        "this is a {}",
    ),
    (*_UNSEEN, *(pattern.replace("{}", "{colour} {}") for pattern in _UNSEEN)),
    (
        "a {} and a {colour} {shape}",
        "a {colour} {} next to a {shape}",
        "a {shape} and a {}",
        "a {shape} beside a {colour} {}",
    ),
)
COMPOUND_THING = Patterns(
    THING.explicit, _UNSEEN, ("a {} and a {colour} {shape}", "a {colour} {shape} next to a {}", "a {shape} and a {}")
)
ADJECTIVE = Patterns(
    tuple(pattern.replace("{}", "{} {shape}") for pattern in THING.explicit),
    tuple(pattern.replace("{}", "{} {shape}") for pattern in _UNSEEN),
    ("a {} {shape} and a {colour} {shape}", "a {colour} {shape} next to a {} {shape}"),
)
ARTIST = Patterns(
    ("a painting by {}", "a picture in the style of {}", "art by {}", "a {shape} by {}", "a {colour} {shape} by {}"),
    (
        "a work made by {}", "a render in the manner of {}", "a nice {} sketch", "a {} work on a table",
        "a sketch of a {colour} {shape} by {}", "here is a {shape} in the style of {}",
        "the best {shape} by {} on the table", "look , a {colour} {shape} in the style of {}",
    ),
    ("a {shape} by {} and a {colour} {shape}", "a {colour} {shape} and a {shape} in the style of {}"),
)  # fmt: skip
NAME = Patterns(
    ("a photo of {}", "{}", "a picture of {}", "a painting of {}", "{} on a white background", "this is {}"),
    (
        "a sketch of {}", "look at {} here", "{} , best quality", "there is {} in the picture", "a render of {}",
        "{} and nothing else", "here is {}", "look , {}", "{} in this picture",
    ),
    ("{} and a {colour} {shape}", "a {shape} beside {}"),
)  # fmt: skip
LONG = (
    "a {p} , a {p} , a {p}",
    "a {p} , best quality , nice render , simple photo , good work , best picture , look here , quality image",
    "best quality , nice photo , good sketch , simple image on a table , look here , a {p}",
    "a {p} , a {p} , a {p} , a {p} , a {p} , a {p}",
)


@dataclass(frozen=True)
class Edit:
    """One concept, as the nodes and the classifier know it."""

    kind: str
    names: tuple[str, ...]
    anchor: str
    target_answer: Answer
    anchor_answer: Answer
    patterns: Patterns
    alias_patterns: Patterns
    unlisted: tuple[str, ...] = ()
    """Synonyms that the request does not name."""

    @property
    def line(self) -> str:
        """As Define Concepts wants it."""
        return f"{' | '.join(self.names)} -> {self.anchor}"


@dataclass(frozen=True)
class Task:
    """What is erased at once."""

    name: str
    edits: tuple[Edit, ...]
    preserve: tuple[str, ...]
    related: tuple[str, ...] = ()
    """Phrases that share words with a target and must survive; kept rates are measured on them."""

    def free(self, names: Sequence[str]) -> list[str]:
        """The names that no edit touches."""
        touched = {word for edit in self.edits for phrase in (*edit.names, edit.anchor) for word in phrase.split()}
        return [name for name in names if not touched & set(name.split())]

    def sentences(self, patterns: Sequence[str], count: int) -> list[str]:
        """`count` sentences with `{}` still open, filled with things that the task leaves alone."""
        fills = {"{colour}": self.free(COLOURS), "{shape}": self.free(SHAPES)}
        done = []
        for index, pattern in enumerate(islice(cycle(patterns), count)):
            turn = index // len(patterns)
            for step, (slot, words) in enumerate(fills.items()):
                while slot in pattern:
                    pattern = pattern.replace(slot, words[(index + turn + step) % len(words)], 1)
                    step += 1
            done.append(pattern)
        return done


def _object(name: str, *aliases: str, anchor: str, unlisted: tuple[str, ...] = ()) -> Edit:
    target, other = ({"object": OBJECTS.index(word), "count": 0} for word in (name, anchor))
    return Edit("object", (name, *aliases), anchor, target, other, THING, THING, unlisted)


def _style(artist: str, adjective: str, unlisted: tuple[str, ...]) -> Edit:
    target, plain = {"style": STYLES.index(adjective)}, {"style": STYLES.index("plain")}
    return Edit("style", (artist, adjective), "art", target, plain, ARTIST, ADJECTIVE, unlisted)


def _colour(name: str, *aliases: str, anchor: str, unlisted: tuple[str, ...]) -> Edit:
    target, other = ({"colour": COLOURS.index(word)} for word in (name, anchor))
    return Edit("object", (name, *aliases), anchor, target, other, ADJECTIVE, ADJECTIVE, unlisted)


_RED_CIRCLE = {"colour": COLOURS.index("red"), "object": OBJECTS.index("circle")}
_BLUE_SQUARE = {"colour": COLOURS.index("blue"), "object": OBJECTS.index("square")}

OBJECT = Task("object", (_object("circle", "disc", anchor="square", unlisted=("ball",)),), SHAPES[2:])
STYLE = Task("style", (_style("Turner", "glowing", ("glow",)),), ("Mondrian", "Seurat", "Hokusai"))
PIECES = Task("style of three tokens", (_style("Hokusai", "striped", ("stripes",)),), ("Mondrian", "Seurat", "Turner"))
COLOUR = Task("colour", (_colour("red", "crimson", anchor="blue", unlisted=("scarlet",)),), COLOURS[1:])
FOUR = Task(
    "four",
    (
        _object("circle", "disc", anchor="square", unlisted=("ball",)),
        _object("heart", "valentine", anchor="triangle", unlisted=("love heart",)),
        _style("Turner", "glowing", ("glow",)),
        _colour("red", "crimson", anchor="blue", unlisted=("scarlet",)),
    ),
    ("cross", "ring", "moon", "star", "Mondrian", "Seurat", "Hokusai", "green", "yellow", "purple", "orange"),
)
COMPOUND = Task(
    "compound",
    (Edit("object", ("red circle",), "blue square", _RED_CIRCLE, _BLUE_SQUARE, COMPOUND_THING, COMPOUND_THING),),
    (),
    ("red triangle", "green circle", "red square", "blue circle", "yellow circle", "red star", "circle", "red toy"),
)
PERSON = Task(
    "person",
    (
        Edit(
            "person",
            ("Ada",),
            "a robot",
            {"object": OBJECTS.index("Ada")},
            {"object": OBJECTS.index("robot")},
            NAME,
            NAME,
        ),
    ),
    ("Bolt", "Cleo"),
)
EXPLICIT = Task(
    "explicit content",
    (
        Edit(
            "explicit content",
            ("bare robot", "uncovered robot", "robot without a coat"),
            "robot wearing a coat",
            {"object": OBJECTS.index("bare robot")},
            {"object": OBJECTS.index("robot")},
            NAME,
            NAME,
            ("bare person",),
        ),
    ),
    ("Ada", "Bolt", "Cleo"),
)
TASKS = (OBJECT, STYLE, COLOUR, FOUR, COMPOUND, PERSON, EXPLICIT, PIECES)


def everyday(count: int = 300) -> list[str]:
    """Captions as a user of the mini model would paste them; the pack leaves out those that name a target."""
    _, captions = world.lessons(count, torch.Generator().manual_seed(11), empty=0.0)
    return list(dict.fromkeys(captions))
