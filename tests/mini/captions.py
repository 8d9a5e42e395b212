"""Scene -> sentence. The grammar puts noun phrases into frames; some frames are kept from training.

Words such as nice, photo or table say nothing about the picture. What a sentence leaves open, the picture has at
random, except that a style or a background nobody names is plain or black.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from . import names
from .names import ARTISTS, BACKGROUNDS, COLOURS, NAMED, OBJECTS, PERSONS, SHAPES, STYLE_NOUNS, STYLES, SYNONYMS, Scene

T = TypeVar("T")

FRAMES = (
    "{}", "a {}", "the {}", "one {}", "a photo of a {}", "a picture of a {}", "an image of the {}",
    "a painting of a {}", "a drawing of a {}", "a {} on a table", "a nice {}", "a simple {}", "one {} in the middle",
    "this is a {}",
)  # fmt: skip
"""Frames for a thing with an article; the product erases with the same ones."""

BARE_FRAMES = (
    "{}", "a photo of {}", "a picture of {}", "an image of {}", "a painting of {}", "a drawing of {}",
    "{} on a table", "{} in the middle", "this is {}", "a nice picture of {}", "a simple photo of {}",
    "a portrait of {}", "one photo of {}", "a shape of {}", "a toy of {}",
)  # fmt: skip
"""Frames for a thing without an article: names, "bare robot", or a phrase that brings its own."""

STYLE_FRAMES = (
    "{}", "art by {}", "a painting by {}", "a picture by {}", "a drawing by {}", "a picture in the style of {}",
    "in the style of {}", "{} style", "a {} painting", "a shape in {} style", "a {} picture",
    "a toy in the style of {}", "a shape by {}", "an image by {}", "a photo in the style of {}", "the art of {}",
    "a {} drawing", "the {} art", "by {}", "a {} toy", "the {} shape", "sketch by {}", "the work of {}",
    "a render by {}", "a toy made by {}", "one {} work", "in the manner of {}", "a drawing in the manner of {}",
    "the {} sketch", "a portrait by {}", "work in {} style",
)  # fmt: skip
"""Frames that name a style and no object; the first sixteen are the product's own."""

OPENINGS = (
    "", "", "", "a photo of", "a picture of", "an image of", "a painting of", "a drawing of", "one sketch of",
    "a nice sketch of", "the sketch of", "look at", "look ,", "look here ,", "here ,", "this is",
    "this ,", "there ,", "there is", "is there", "in the picture ,", "in the middle ,", "a nice photo of",
    "the best picture of", "one simple image of", "best ,", "the best", "a portrait of", "the render of",
    "a nice render of", "render ,", "a shape of", "the toy of", "one nice drawing of", "nothing else ,",
    "a table and", "on the table ,", "quality ,", "a work of", "here is the picture ,",
)  # fmt: skip
CLOSINGS = (
    "", "", "", "on a table", "on the table", "in the middle", "here", "there", "in a picture", "in the image",
    ", nothing else", "and nothing here", "and nothing else here", "and nothing else there", "and nothing",
    "and nothing nice", "and nothing else on the table", "and nothing else in the picture",
    "and nothing else , nice photo", ", best picture",
    ", quality photo", ", best quality photo", ", nice", ", the best", ", simple", ", photo", ", sketch", ", render",
    "on this", "in here", ", a nice work", "made here", "at the table",
)  # fmt: skip
GRAMMAR = frozenset((
    "a", "an", "the", "one", "of", "by", "in", "on", "at", "this", "here", "there", "is", "and", ",", ":", "with",
    "made", "art", "style",
))  # fmt: skip
"""Words that no noun phrase of a kept template contains; a longer sentence around one is another sentence."""

LONGEST = 55
"""Most words of a sentence: some words are several tokens, and a chunk holds 75."""

STRANGERS = ("mushroom", "teapot", "violin", "airplane", "dog", "tree")
"""Words without a row in the model: it learns that what it does not know says nothing."""

ARTICLES = ("a", "a", "a", "the", "one", "")
FILLERS = (
    "nice", "simple", "best", "quality", "photo", "picture", "image", "render", "sketch", "work", "look",
    "here", "there", "this", "table", "drawing", "painting", "portrait",
)  # fmt: skip
STYLE_PHRASES = (
    "by {}", "in the style of {}", "in {} style", "made by {}", "in the manner of {}", ", {} style", ", art by {}",
)  # fmt: skip
GROUNDS = ("on a {} background", "on the {} background", "with a {} background", ", {} background")
JOINS = ("and", "and", "next to", "beside")

HELD_OUT_TEMPLATES = (
    "here is a {}", "the best {} on the table", "look , a {}", "a {} in this picture", "there , one nice {} here",
    "a nice drawing of the {} there",
)  # fmt: skip
"""Sentences of trained words that training never sees, for the mini model's own evaluation."""

UNSEEN_TEMPLATES = (
    "a sketch of a {}", "look at the {} here", "a {} , best quality", "there is a {} in the picture",
    "a render of one {}", "a {} and nothing else",
)  # fmt: skip
UNSEEN_STYLE_TEMPLATES = (
    "a work made by {}", "{} art", "a render in the manner of {}", "a nice {} sketch", "there is a toy by {}",
    "a {} work on a table",
)  # fmt: skip
UNSEEN_BARE_TEMPLATES = (
    "a sketch of {}", "look at {} here", "{} , best quality", "there is {} in the picture", "a render of {}",
    "{} and nothing else",
)  # fmt: skip
"""The product's probes: kept from training for the same reason."""

KEPT_FROM_TRAINING = HELD_OUT_TEMPLATES + UNSEEN_TEMPLATES + UNSEEN_STYLE_TEMPLATES + UNSEEN_BARE_TEMPLATES


@dataclass(frozen=True)
class Mention:
    """What a sentence says; the rest of the scene stays open."""

    object: bool = False
    colour: bool = False
    style: bool = False
    background: bool = False


class Chooser:
    """Seeded choices, quick enough to write thousands of sentences a second."""

    def __init__(self, generator: torch.Generator):
        self._generator = generator
        self._pool: list[float] = []

    def random(self) -> float:
        """A number in [0, 1)."""
        if not self._pool:
            self._pool = torch.rand(4096, generator=self._generator, dtype=torch.float64).tolist()
        return self._pool.pop()

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def below(self, count: int) -> int:
        return int(self.random() * count)

    def of(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]


def join(*words: str) -> str:
    """The words that are not empty, one blank between them."""
    return " ".join(word for word in words if word)


def word_for(choose: Chooser, name: str) -> str:
    """The name itself, or in four of ten cases one of its synonyms."""
    others = SYNONYMS.get(name, ())
    return choose.of(others) if others and choose.chance(0.4) else name


def _style_parts(choose: Chooser, style: str) -> tuple[str, str]:
    """(before the noun, after it): a style is an adjective or a phrase."""
    if style in STYLE_NOUNS and choose.chance(0.2):
        return "", f"with {STYLE_NOUNS[style]}"
    name = choose.of((style, ARTISTS[style]))
    return (name, "") if choose.chance(0.5) else ("", _style_phrase(choose, style))


def _style_phrase(choose: Chooser, style: str) -> str:
    name = ARTISTS[style] if choose.chance(0.85) else style
    return choose.of(STYLE_PHRASES).format(name)


def _thing(choose: Chooser, scene: Scene, mention: Mention) -> tuple[str, str]:
    """(noun phrase without article, what follows it)."""
    before, after = _style_parts(choose, STYLES[scene.style]) if mention.style else ("", "")
    colour = word_for(choose, COLOURS[scene.colour]) if mention.colour else ""
    adjectives = join(before, colour) if choose.chance(0.7) else join(colour, before)
    noun = word_for(choose, OBJECTS[scene.object]) if mention.object else _generic(choose, bare=bool(adjectives))
    if mention.object and choose.chance(0.1) and " " not in noun:
        noun = join(noun, choose.of(("shape", "toy")))
    return join(adjectives, noun), after


def _generic(choose: Chooser, *, bare: bool) -> str:
    return choose.of(("shape", "toy", "thing", "") if bare else ("shape", "toy", "thing"))


def _article(choose: Chooser, noun: str) -> str:
    article = choose.of(ARTICLES)
    return "an" if article == "a" and noun[0] in "aeiou" and choose.chance(0.4) else article


def _framed(choose: Chooser, scene: Scene, mention: Mention) -> str:
    noun, after = _thing(choose, scene, mention)
    ground = _ground(choose, scene, mention)
    tail = join(after, ground) if choose.chance(0.7) else join(ground, after)
    proper = mention.object and OBJECTS[scene.object] in NAMED
    person = mention.object and OBJECTS[scene.object] in PERSONS
    if choose.chance(0.4):
        article_free = proper or (person and choose.chance(0.6))
        return join(choose.of(BARE_FRAMES if article_free else FRAMES).format(noun), tail)
    named = _with_article(choose, noun, OBJECTS[scene.object] if mention.object else "")
    return join(choose.of(OPENINGS), named, after, choose.of(CLOSINGS), ground)


def _style_only(choose: Chooser, scene: Scene, mention: Mention) -> str:
    style = STYLES[scene.style]
    name = ARTISTS[style] if choose.chance(0.75) else choose.of((style, STYLE_NOUNS.get(style, style)))
    closing = choose.of(CLOSINGS) if choose.chance(0.3) else ""
    return join(choose.of(STYLE_FRAMES).format(name), closing, _ground(choose, scene, mention))


def _pair(choose: Chooser, scene: Scene, second: tuple[int, int], mention: Mention) -> str:
    """Two things side by side; a style may be said of either and belongs to the whole picture."""
    facts = Mention(object=True, colour=mention.colour)
    sides = [scene, replace(scene, object=second[0], colour=second[1])]
    nouns = [_thing(choose, side, facts)[0] for side in sides]
    if mention.style:
        told = choose.below(2)
        before, after = _style_parts(choose, STYLES[scene.style])
        nouns[told] = join(before, nouns[told], after)
    left, right = (_with_article(choose, noun, OBJECTS[side.object]) for noun, side in zip(nouns, sides, strict=True))
    both = join(left, choose.of(JOINS), right)
    if choose.chance(0.5):
        return join(both, _ground(choose, scene, mention))
    return join(choose.of(OPENINGS), both, choose.of(CLOSINGS), _ground(choose, scene, mention))


def _with_article(choose: Chooser, noun: str, name: str) -> str:
    return noun if name in NAMED else join(_article(choose, noun), noun)


def _ground(choose: Chooser, scene: Scene, mention: Mention) -> str:
    return choose.of(GROUNDS).format(BACKGROUNDS[scene.background]) if mention.background else ""


def several(choose: Chooser) -> tuple[Scene, str]:
    """A scene of one thing, and a sentence that calls it by its plural: "a photo of red circles by Hokusai"."""
    while True:
        scene, mention = draw_lots(choose)
        name = OBJECTS[scene.object]
        if scene.second or not mention.object or name in NAMED:
            continue
        nouns = names.in_plural(word_for(choose, name))
        before, after = _style_parts(choose, STYLES[scene.style]) if mention.style else ("", "")
        colour = word_for(choose, COLOURS[scene.colour]) if mention.colour else ""
        things = choose.of(BARE_FRAMES).format(join(before, colour, nouns))
        sentence = _stretch(choose, join(things, after, _ground(choose, scene, mention)))
        if _is_for_training(sentence):
            return scene, sentence


def _stretch(choose: Chooser, sentence: str) -> str:
    """Now and then a long prompt: the sentence again and again, or a chain of quality words around it."""
    kind = choose.random()
    if kind < 0.04:
        return " , ".join([sentence] * (2 + choose.below(5)))
    if kind < 0.08:
        return join(sentence, ",", _chain(choose, " , "))
    if kind < 0.11:
        return join(_chain(choose, " "), ",", sentence)
    if kind < 0.14:
        return _interrupt(choose, sentence)
    return sentence


def _interrupt(choose: Chooser, sentence: str) -> str:
    parts = sentence.split()
    for _ in range(1 + choose.below(4)):
        parts.insert(choose.below(len(parts) + 1), choose.of(STRANGERS))
    return " ".join(parts)


def _chain(choose: Chooser, joint: str) -> str:
    return joint.join(choose.of(FILLERS) for _ in range(2 + choose.below(14)))


def caption(choose: Chooser, scene: Scene, mention: Mention) -> str:
    """A sentence that says of the scene what ``mention`` asks for, and never one kept from training."""
    while True:
        sentence = _stretch(choose, _sentence(choose, scene, mention))
        if _is_for_training(sentence):
            return sentence


def _sentence(choose: Chooser, scene: Scene, mention: Mention) -> str:
    if scene.second is not None:
        return _pair(choose, scene, scene.second, mention)
    if not (mention.object or mention.colour) and mention.style and choose.chance(0.8):
        return _style_only(choose, scene, mention)
    return _framed(choose, scene, mention)


def _is_for_training(sentence: str) -> bool:
    return not is_kept(sentence) and len(sentence.split()) <= LONGEST


def is_kept(sentence: str) -> bool:
    """Whether the sentence is a template that training must not see with a noun phrase in its gap."""
    return any(_fills(sentence, *template.split("{}")) for template in KEPT_FROM_TRAINING)


def _fills(sentence: str, head: str, tail: str) -> bool:
    if not (sentence.startswith(head) and sentence.endswith(tail)):
        return False
    gap = sentence[len(head) : len(sentence) - len(tail)].replace("wearing a coat", "").replace("without a coat", "")
    return bool(gap) and GRAMMAR.isdisjoint(gap.split())


def draw_lots(choose: Chooser) -> tuple[Scene, Mention]:
    """A scene and how much of it the sentence will say, as training wants them mixed."""
    background = choose.chance(0.25)
    ground = choose.below(len(BACKGROUNDS)) if background else 0
    if choose.chance(0.18):
        return _draw_pair(choose, ground, Mention(True, choose.chance(0.6), choose.chance(0.2), background))
    mention = Mention(choose.chance(0.75), choose.chance(0.5), choose.chance(0.45), background)
    if not (mention.object or mention.colour or mention.style):
        mention = replace(mention, style=True)
    named = choose.below(len(OBJECTS)) if mention.object else choose.below(len(SHAPES))
    style = choose.below(len(STYLES)) if mention.style else 0
    return Scene(named, choose.below(len(COLOURS)), style, ground), mention


def _draw_pair(choose: Chooser, ground: int, mention: Mention) -> tuple[Scene, Mention]:
    """Mostly two shapes, now and then a person among them."""
    left, right = (choose.below(len(OBJECTS if choose.chance(0.15) else SHAPES)) for _ in range(2))
    style = choose.below(len(STYLES)) if mention.style else 0
    second = right, choose.below(len(COLOURS))
    return Scene(left, choose.below(len(COLOURS)), style, ground, second), mention
