"""Kinds of concept: its default anchor, the sentences it occurs in, and the forms of its names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .number import other_number
from .phrase import ends_latin, key
from .texts import lines, sections

LANGUAGES = "zh", "ja", "th"
"""Languages beside English that there are sentences in."""
NAMED = "zh", "ja"
"""Those of them that there are names and everyday prompts in."""
OTHERS = 48
"""So many well-known things, and half as many colours, stand beside the words of a compound."""


@dataclass(frozen=True)
class Kind:
    """A sort of concept: what its names are like and the sentences they occur in."""

    name: str
    """As shown to the user."""
    default_anchor: str
    """Anchor of a line without an arrow."""
    templates: tuple[str, ...]
    """Sentences with one `{}` for any text encoder; the update is solved on these. The first few cover the rest."""
    long_templates: tuple[str, ...]
    """More of them, of 30 to 60 words, for text encoders that read long prompts."""
    unseen: tuple[str, ...]
    """Sentences that no update is solved on: leak is measured here."""
    names: tuple[str, ...] = ()
    """Names of this kind that people know, the best known first: their neighbours must not move."""
    variations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Further sentences of an audit, by what they vary."""
    local: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    """Sentences in other languages, by language: those that are solved on, and unseen ones."""
    local_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The same as `names` in other languages, by language."""
    proper_names: bool = False
    """Whether names are proper names, such as Van Gogh: their single words mean little."""
    keeps_words_of_anchor_only: bool = False
    """Whether, of the words of a name, only those survive that the anchor has too."""

    def names_in(self, languages: Iterable[str]) -> tuple[str, ...]:
        """The names that people know, those of other languages first.

        Args:
            languages: beside English.
        """
        return (*(name for language in languages for name in self.local_names.get(language, ())), *self.names)

    def unlisted_form(self, name: str) -> str:
        """A form of a name that people also write: the possessive of a proper name, else the other number.

        The name itself where English endings do not go with its letters: a Chinese name gets no `s`.
        """
        if not ends_latin(name):
            return name
        return _possessive(name) if self.proper_names else other_number(name)

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

    def with_other_words(self, name: str) -> list[str]:
        """Phrases in which the words of a compound stand beside others: `red dog` and `green circle` for `red circle`.

        They must survive its erasure too. Of explicit content not all of them should.
        """
        *first, last = name.split()
        if self.proper_names or self.keeps_words_of_anchor_only or not first:
            return []
        phrases = [" ".join([*first, noun]) for noun in _NOUNS[:OTHERS]]
        return phrases + [f"{colour} {last}" for colour in _COLOURS[: OTHERS // 2]]


def _kind(name: str, default_anchor: str, names: tuple[str, ...], names_of: str = "", **traits: bool) -> Kind:
    sentences = sections(f"sentences/{name.replace(' ', '_')}")
    solved_on = sentences.pop("solved on"), sentences.pop("solved on, long prompts")
    unseen = sentences.pop("unseen")
    local_names = {language: lines(f"names/{language}/{names_of or name}") for language in NAMED}
    local = _local_sentences(name)
    return Kind(name, default_anchor, *solved_on, unseen, names, sentences, local, local_names, **traits)


def _local_sentences(name: str) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    found = {language: sections(f"sentences/{language}/{name.replace(' ', '_')}") for language in LANGUAGES}
    return {language: (sentences["solved on"], sentences["unseen"]) for language, sentences in found.items()}


def _full_names() -> tuple[str, ...]:
    """Given names with family names of other places in the list, so that few are somebody's."""
    families = lines("names/family_names")
    return tuple(
        f"{given} {families[(7 * n + 3) % len(families)]}" for n, given in enumerate(lines("names/given_names"))
    )


_NOUNS, _COLOURS = lines("names/nouns"), lines("names/colours")
KINDS = (
    _kind("object", "thing", (*_NOUNS, *_COLOURS, *lines("names/materials"))),
    _kind("style", "art", lines("names/painters"), proper_names=True),
    _kind("person", "a person", _full_names(), proper_names=True),
    _kind("explicit content", "a person wearing clothes", _NOUNS, "object", keeps_words_of_anchor_only=True),
)


def _possessive(name: str) -> str:
    return name.removesuffix("'s") if name.endswith("'s") else f"{name}'s"
