"""Scene -> sentence, in five registers as people write them; the structures of evaluation are kept from training.

In a structure, `{a}` is the thing with its article, `{the}` the same with "the", `{bare}` without; `{by}` and `{where}`
speak of painter and background, or are empty; `{painter}` is the bare name. All other words say nothing of the picture.
What a sentence leaves open is random, but a painter nobody names is none and a background nobody names is white.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

from tests.mini.captions import Chooser

from .names import BACKGROUNDS, COLOURS, INDIVIDUALS, OBJECTS, PAINTERS, PERSONS, STYLES, Scene, named

TRAINED: dict[str, tuple[str, ...]] = {
    "plain": (
        "{a} {where} {by}", "{a} {by} {where}", "{the} {where} {by}", "{bare} {where} {by}", "a photo of {a} {where} {by}",
        "a picture of {a} {by} {where}", "a painting of {a} {where} {by}", "a drawing of {a} {by} {where}",
        "an image of {the} {where} {by}", "this is {a} {where} {by}", "one picture of {a} {where} {by}",
        "{a} on a table {by}", "a portrait of {a} {where} {by}",
    ),
    "medium and light": (
        "a close-up photograph of {a} {where}, soft morning light {by}", "watercolor of {a} {where}, loose brushwork {by}",
        "oil on canvas, {a} {where}, warm evening light {by}", "{a} {where}, 35mm film, shallow depth of field {by}",
        "low angle shot of {a} {where}, golden hour, sharp focus {by}", "pencil sketch of {the} {where}, fine lines {by}",
        "studio shot of {a} {where}, softbox lighting, plain and clean {by}", "digital illustration of {a} {by} {where}, rim light",
        "wide angle view of {a} {where}, dramatic light, long exposure {by}", "ink drawing of {a} {by} {where}, high contrast",
        "{a} {by} {where}, backlit, 85mm lens, bokeh", "3d render of {a} {where}, global illumination {by}",
    ),
    "natural": (
        "I was walking back from work yesterday when I noticed {a} {where}, and the whole scene felt so calm that I had to stop and look {by}",
        "In this picture you can clearly see {a} {where}, placed right in the middle of the frame so that nothing else takes our attention {by}",
        "My sister made this {by} last summer and gave it to our mother, it shows {a} {where} and everybody in the family likes it a lot",
        "The artwork {by} shows {a} {where}, with simple forms and careful colors that make the viewer feel quiet and a little curious",
        "Here is {a} {where}, seen from the front on an ordinary day, nothing special happens but the mood is pleasant and quite relaxed {by}",
        "A friendly image {by} that has {a} {where}, made for a small poster which will hang above the desk in our new office",
        "There is {a} {where} and it seems to be waiting for something to happen while the afternoon slowly comes to an end {by}",
        "Somebody asked me to describe what hangs on the wall, so I said that it is {a} {where} {by} and that I really enjoy it every day",
        "This one {by} is about {a} {where}, it fills most of the space and is shown with great love for the small details",
    ),
    "tags": (
        "{bare}, {where}, {by}", "{bare}, {where}, {by}, masterpiece, best quality, highly detailed", "best quality, 8k, {bare}, {by}, {where}",
        "masterpiece, ultra detailed, {a}, {where}, {by}, sharp focus, trending", "1 {bare}, solo, centered, {where}, {by}",
        "{bare}, {by}, {where}, simple composition, flat colors", "{where}, {bare}, no text, {by}, award winning",
        "{bare}, centered, {by}, vivid, intricate, hdr, {where}",
    ),
    "painter": (
        "{painter}, {a} {where}", "{painter} painting of {a} {where}", "{a} {where}, {painter} style", "a {painter} painting, {a} {where}",
        "art by {painter}, {bare} {where}", "in the style of {painter}, {a} {where}", "as {painter} would paint it, {a} {where}",
        "{a} {where} painted by {painter}", "a famous work by {painter} that shows {a} {where}", "a painting by {painter}",
        "a picture in the style of {painter}", "art by {painter}", "{painter}", "a drawing by {painter} of {a} {where}",
        "{painter}, {bare}, {where}, oil on canvas, museum quality", "the art of {painter}, {where}",
    ),
}  # fmt: skip
"""By register."""

HELD_OUT: dict[str, tuple[str, ...]] = {
    "plain": (
        "look at {a} {where} {by}", "a sketch of {a} {by} {where}", "here we see {the} {where} {by}", "just {a} {where} {by}",
    ),
    "medium and light": (
        "macro photo of {a} {where}, overcast sky light, crisp {by}", "gouache on paper, {by}, {a} {where}, muted tones",
        "cinematic still of {the} {where}, volumetric light, anamorphic {by}", "{a} {where}, polaroid, faded and grainy {by}",
    ),
    "natural": (
        "When the children came into the room they found {a} {where} {by} and talked about it for nearly an hour before dinner was ready",
        "It took me three weeks to finish this piece {by}, which presents {a} {where} in a way that I hope is honest and kind",
        "We spent the long weekend indoors and kept looking at {a} {where}, because {the} reminded us of a much slower time {by}",
    ),
    "tags": (
        "{where}, {by}, {bare}, absurdres, extremely detailed wallpaper", "solo, {bare}, looking good, {by}, soft shading, {where}",
        "(best quality), {a}, {where}, {by}, pixiv, concept art",
    ),
    "painter": (
        "a lovely piece by {painter} with {a} {where}", "{painter} once made {a} {where}", "{a} {where}, after {painter}, gallery print",
        "a postcard of a {painter} canvas, {a} {where}",
    ),
}  # fmt: skip
"""Structures that only evaluation uses."""

BEFORE = (
    "yesterday", "in the end", "once more,", "for the cover:", "an idea for later:", "draft 3,", "reference image,", "my brother said:",
    "we were told about", "they wanted", "please show", "imagine", "a quiet afternoon,", "first prize,", "page 12,", "from the archive,",
    "something simple:", "a memory of", "close view,", "front view,", "seen today:", "commissioned work,", "scanned page,", "a set of stamps,",
    "highly rated,", "a postcard with", "a logo that has", "my favorite is", "she whispered something about", "for our meeting I prepared",
    "a child's first try,", "a calm mood,", "very detailed,", "low quality,", "a sticker of", "the exhibition opens with", "next to nothing but",
)  # fmt: skip
"""What training puts before a sentence now and then, so that it stands in many surroundings; it says nothing of the
picture."""
AFTER = (
    "printed on thick paper", "slightly blurry", "for a friend", "as I remember it", "made in one hour", "with a thin frame", "and that is all",
    "in good condition", "which won a prize", "cosy and calm", "hand made", "4k", "sold last week", "signed and dated", "from our collection",
    "before lunch", "with love", "no watermark", "very old", "quite new", "clean lines", "and nobody else", "as usual", "rough paper texture",
    "a bit too large", "shown in the second room", "ready for print", "that we found again after many years", "which made us laugh",
    "because it was her birthday", "although it took a while", "with some noise", "symmetrical", "minimal", "elegant and rich", "for sale",
)  # fmt: skip
"""What training puts behind one."""

BY = ("by {}", "by {}", "in the style of {}", "painted by {}", "in {} style", "style of {}")
PLACES = {
    "white": ("on a white background", "on a plain white background"),
    "night": ("at night", "in the night"),
    "grass": ("on the grass", "in the grass", "on green grass"),
    "beach": ("on the beach", "at the beach"),
}
NOBODY = ("an artist", "an artist", "an unknown artist")
WORN = ("in {}", "dressed in {}")
"""How a sentence gives a colour to somebody."""


@dataclass(frozen=True)
class Lesson:
    """A sentence, the scene it speaks of, and which heads of the scene it settles."""

    caption: str
    scene: Scene
    told: frozenset[str]

    def answers(self) -> dict[str, int]:
        """What a picture of the sentence must show."""
        return {head: getattr(self.scene, head) for head in sorted(self.told)}


def lesson(choose: Chooser, structures: dict[str, tuple[str, ...]] = TRAINED, register: str | None = None) -> Lesson:
    """A random scene and a sentence about it."""
    structure = choose.of(structures[register or choose.of(tuple(structures))])
    colour, place, styled = choose.chance(0.5), "{where}" in structure and choose.chance(0.5), choose.chance(0.55)
    named_painter = "{painter}" in structure or ("{by}" in structure and styled)
    scene = Scene(
        choose.below(len(OBJECTS)),
        choose.below(6),
        (1 + choose.below(7)) if named_painter and not choose.chance(0.1) else 0,
        choose.below(4) if place else 0,
    )
    shown = any(slot in structure for slot in ("{a}", "{the}", "{bare}"))
    told = {"style": True, "background": True, "object": shown, "colour": shown and colour}
    caption = fill(
        choose,
        structure,
        noun=noun(choose, OBJECTS[scene.object], COLOURS[scene.colour] if colour else ""),
        proper=OBJECTS[scene.object] in INDIVIDUALS,
        painter=painter(choose, STYLES[scene.style]) if named_painter else "",
        where=choose.of(PLACES[BACKGROUNDS[scene.background]]) if place else "",
    )
    return Lesson(caption, scene, frozenset(head for head, is_told in told.items() if is_told))


def surrounded(choose: Chooser, caption: str) -> str:
    """A caption of training with other words around it: before, behind, both, or neither."""
    before = f"{choose.of(BEFORE)} " if choose.chance(0.35) else ""
    behind = f"{choose.of((',', '', '.'))} {choose.of(AFTER)}" if choose.chance(0.35) else ""
    return before + caption + behind


def fill(choose: Chooser, structure: str, *, noun: str, proper: bool, painter: str = "", where: str = "") -> str:
    """The structure with its slots filled, and tidied.

    Args:
        noun: the thing, without article, with its colour.
        proper: whether it is a name, and takes none.
        painter: the painter's name, or nothing.
        where: words for the background, or nothing.
    """
    slots = {
        "{a}": noun if proper else f"{_article(noun)} {noun}",
        "{the}": noun if proper else f"the {noun}",
        "{bare}": noun,
        "{where}": where,
        "{by}": choose.of(BY).replace("{}", painter) if painter else "",
        "{painter}": painter,
    }
    for slot, words in slots.items():
        structure = structure.replace(slot, words)
    return tidy(structure)


def tidy(sentence: str) -> str:
    """Without the blanks and commas that empty slots leave behind."""
    sentence = re.sub(r"\s+", " ", sentence)
    sentence = re.sub(r"(\s*,)+", ",", sentence).strip(" ,")
    return sentence.replace("a an ", "an ").replace("a art ", "art ")


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def painter(choose: Chooser, style: str) -> str:
    """Whose style it is; plain pictures are nobody's."""
    return PAINTERS[style] if style in PAINTERS else choose.of(NOBODY)


def noun(choose: Chooser, name: str, colour: str) -> str:
    """An object by one of its trained names, with its colour where there is one."""
    spoken = choose.of(named(name))
    return coloured(choose, spoken, colour, worn=name in PERSONS and "robot" not in name) if colour else spoken


def coloured(choose: Chooser, word: str, colour: str, *, worn: bool) -> str:
    """A thing is red; somebody is dressed in red."""
    return f"{word} {choose.of(WORN).replace('{}', colour)}" if worn else f"{colour} {word}"


def lessons(count: int, seed: int, structures: dict[str, tuple[str, ...]] = TRAINED) -> list[Lesson]:
    """Random lessons, the same ones for the same seed."""
    choose = Chooser(torch.Generator().manual_seed(seed))
    return [lesson(choose, structures) for _ in range(count)]
