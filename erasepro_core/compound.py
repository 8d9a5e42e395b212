"""Names of several words: what of their words must survive, and what their anchor leaves out."""

from __future__ import annotations

from collections.abc import Iterable

from .concept import Concept
from .phrase import key

ARTICLES = frozenset(("a", "an", "the"))


def related_phrases(concept: Concept) -> list[str]:
    """Phrases that share words with a concept's names and must survive; see `Kind.related`."""
    return _but_names(concept, (p for name in concept.said_once for p in concept.kind.related(name, concept.anchor)))


def with_other_words(concept: Concept) -> list[str]:
    """Phrases in which the words of a concept's names stand beside others; see `Kind.with_other_words`.

    None where a person's own sentences replace the built-in ones: the things in them are not for us to choose.
    """
    if concept.only_own:
        return []
    return _but_names(concept, (phrase for name in concept.said_once for phrase in concept.kind.with_other_words(name)))


def _but_names(concept: Concept, phrases: Iterable[str]) -> list[str]:
    """The phrases, each once, but for a concept's own names and its anchor."""
    erased = {key(phrase) for phrase in (*concept.names, concept.anchor)}
    return [phrase for phrase in dict.fromkeys(phrases) if key(phrase) not in erased]


def left_out(concept: Concept) -> str:
    """The words of a name that the anchor leaves out, saying nothing in their place: `red` of `red cup -> a cup`.

    Empty where the anchor has words of its own, and for proper names, of which single words mean little.
    """
    said = {key(word) for word in concept.anchor.split()} - ARTICLES
    for name in () if concept.kind.proper_names else concept.names:
        words = {key(word): word for word in name.split() if key(word) not in ARTICLES}
        if said and said < set(words):
            return " ".join(word for each, word in words.items() if each not in said)
    return ""
