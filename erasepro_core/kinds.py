"""Kinds of concept: the sentences each is named in, its default anchor, and the forms of its names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .phrase import key


@dataclass(frozen=True)
class Kind:
    """A sort of concept: what its names are like and the sentences they occur in."""

    name: str
    """As shown to the user."""
    default_anchor: str
    """Anchor of a line without an arrow."""
    templates: tuple[str, ...]
    """Sentences with one `{}`; the update is solved on these, the most useful first."""
    unseen: tuple[str, ...]
    """Sentences that no update is solved on: leak is measured here."""
    variations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Further sentences of an audit, by what they vary."""
    proper_names: bool = False
    """Whether names are proper names, such as Van Gogh: their single words mean little."""
    keeps_words_of_anchor_only: bool = False
    """Whether, of the words of a name, only those survive that the anchor has too."""

    def unlisted_form(self, name: str) -> str:
        """A form of a name that people also write: the possessive of a proper name, else the other number."""
        return _possessive(name) if self.proper_names else _other_number(name)

    def related(self, name: str, anchor: str) -> list[str]:
        """Phrases that share words with a name of several words and must survive its erasure.

        `red circle -> blue square` leaves `red`, `circle`, `red square` and `blue circle` alone. Of explicit content
        only what the anchor has too survives: `bare robot -> robot wearing a coat` leaves `robot` alone.
        """
        words, others = name.split(), anchor.split()
        if self.proper_names or len(words) < 2:
            return []
        phrases = list(words)
        if len(words) == len(others):
            phrases += [" ".join([*words[:i], other, *words[i + 1 :]]) for i, other in enumerate(others)]
        if self.keeps_words_of_anchor_only:
            shared = {key(word) for word in others}
            phrases = [phrase for phrase in phrases if key(phrase) in shared]
        return phrases


_NAMED = (
    (
        "{}", "a photo of {}", "a picture of {}", "{} and a dog", "a painting of {}", "a red hat on {}",
        "an image of {}", "best quality , nice , simple , a photo of {}", "this is {}", "a drawing of {}",
        "{} on a white background", "a green table , a blue box and {}", "{} in the middle",
        "a nice picture of {} next to a yellow star", "a portrait of {}", "a tree beside {}",
        "one photo of {} in grey", "look at the table , there is one small toy and {}", "a shape of {}",
        "a toy of {}", "a simple photo of {} , sharp , high quality", "a house in the background , {} here",
        "{} with a purple ball", "an orange picture with stripes and dots of {}",
    ),
    (
        "a sketch of {}", "look at {} here", "{} , best quality", "there is {} in the picture", "a render of {}",
        "{} and nothing else",
    ),
)  # fmt: skip
_THING_VARIATIONS = {
    "two objects": ("a {} beside a lamp and a cat", "a basket , a ladder and a {}"),
    "word order": ("on the wall , a {}", "in front of a house a {} stands"),
    "repeated": ("{} , {} , {}", "only a {} and again a {}"),
    "emphasis": ("a photo of a ({}:1.4)", "(({})) on a table"),
}
_NAME_VARIATIONS = {
    "two objects": ("{} beside a lamp and a cat", "a basket , a ladder and {}"),
    "word order": ("on the wall , {}", "in front of a house stands {}"),
    "repeated": ("{} , {} , {}", "only {} and again {}"),
    "emphasis": ("a photo of ({}:1.4)", "(({})) on a table"),
}
_STYLE_VARIATIONS = {
    "two objects": ("a lamp and a cat by {}", "a basket and a ladder in the style of {}"),
    "word order": ("{} , a painting of a house", "by {} , a view of a wall"),
    "repeated": ("{} , {} , {}", "art by {} , a house in the style of {}"),
    "emphasis": ("a house by ({}:1.4)", "a moon in the style of (({}))"),
}

KINDS = (
    Kind(
        "object",
        "thing",
        (
            "{}", "a photo of a {}", "a {}", "a red {}", "a {} shape", "a {} and a dog", "a blue {} on a table",
            "the {}", "a tree next to a {}", "a picture of a {}", "a green {} toy",
            "best quality , nice , simple , a {}", "a {} box on a table", "a painting of a {}",
            "a {} on a white background", "a yellow {} beside a white box", "an image of the {}",
            "a small table , a moon and a {}", "a nice striped {}", "one {} heart in the middle", "this is a {}",
            "a drawing of a purple {}", "a moon next to a {} ring", "one {} in the middle",
            "a simple orange {} , sharp , high quality", "a dog and a {} star",
            "a heart , a ring , a dotted {} and a grey box",
            "look at the picture , there is a house , one star and a {}",
        ),
        (
            "a sketch of a {}", "look at the {} here", "a {} , best quality", "there is a {} in the picture",
            "a render of one {}", "a {} and nothing else",
        ),
        _THING_VARIATIONS,
    ),
    Kind(
        "style",
        "art",
        (
            "{}", "a painting by {}", "a picture in the style of {}", "a moon by {}", "{} style", "art by {}",
            "a {} painting", "a red star in the style of {}", "a picture by {}", "a shape in {} style",
            "a {} picture", "a green heart by {}", "a drawing by {} of a blue house", "in the style of {}",
            "a green {} toy", "an image by {}", "a white box , a blue ring in the style of {}",
            "a dog and a tree by {}", "a shape by {}", "best quality , nice , simple , a heart by {}",
            "the art of {}", "a yellow ring , a {} shape", "a photo in the style of {}",
            "one {} circle on a white background", "a purple moon and a star in the style of {}",
            "a picture of a table and a purple box by {}", "a {} star in the middle",
            "an orange heart by {} and a dog",
        ),
        (
            "a work made by {}", "{} art", "a render in the manner of {}", "a nice {} sketch", "there is a toy by {}",
            "a {} work on a table",
        ),
        _STYLE_VARIATIONS,
        proper_names=True,
    ),
    Kind("person", "a person", *_NAMED, _NAME_VARIATIONS, proper_names=True),
    Kind(
        "explicit content", "a person wearing clothes", *_NAMED, _NAME_VARIATIONS, keeps_words_of_anchor_only=True,
    ),
)  # fmt: skip


def _possessive(name: str) -> str:
    return name.removesuffix("'s") if name.endswith("'s") else f"{name}'s"


def _other_number(name: str) -> str:
    """The plural of a name; of a plural, the singular."""
    if name.endswith("s") and not name.endswith("ss"):
        return name[:-1]
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"
