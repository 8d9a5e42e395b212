"""What English words mean beside each other, from WordNet: the same, a kind of it, something alike, something else.

`texts/meanings.txt` has a line for each meaning, with the words for it and its kinds indented below. A digit behind a
word says that this is its second to fifth meaning. Words that are no nouns stand at the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import cache

from .number import other_number
from .phrase import key
from .texts import sections

NO_NOUN = "no noun"
"""The heading above words that are no nouns."""
COMMON = 2
"""So many meanings of a concept's name are looked at, the commonest ones."""
RANKS = "2345"
INFLECTED = "ed", "ing"
"""Endings of verbs that the thesaurus has in their first form only."""


class Relation(Enum):
    """What a word is to a concept."""

    NAME = "another name or a kind of it"
    BROADER = "what it is a kind of"
    ALIKE = "of the same sort"
    OTHER = "something else"
    UNKNOWN = "a word that the thesaurus has not"


class _Meanings:
    """The lines of the file; a meaning is the place of its line."""

    def __init__(self) -> None:
        self.words: list[list[str]] = []
        self.sorts: list[str] = []
        self.broader: list[int | None] = []
        """What a meaning is a kind of."""
        self.kinds: defaultdict[int | None, list[int]] = defaultdict(list)
        self.of_word: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        """(rank, meaning) of each word; the first rank is its commonest meaning."""
        for sort, lines in sections("meanings").items():
            above: list[int] = []
            for line in lines:
                del above[len(line) - len(line.lstrip()) :]
                self._add(line.split(), sort, above[-1] if above else None)
                above.append(len(self.words) - 1)

    def _add(self, words: Sequence[str], sort: str, broader: int | None) -> None:
        meaning = len(self.words)
        self.words.append([word.rstrip(RANKS) for word in words])
        self.sorts.append(sort)
        self.broader.append(broader)
        self.kinds[broader].append(meaning)
        for word in words:
            self.of_word[word.rstrip(RANKS)].append((int(word[-1]) if word[-1] in RANKS else 1, meaning))

    def of(self, word: str) -> list[tuple[int, int]]:
        """(rank, meaning) of a word in either number."""
        return self.of_word.get(key(word)) or self.of_word.get(other_number(key(word)), [])

    def common(self, names: Iterable[str]) -> dict[int, None]:
        """The common meanings of names, in their order, that are nouns."""
        found = (meaning for name in names for rank, meaning in sorted(self.of(name)) if rank <= COMMON)
        return {meaning: None for meaning in found if self.sorts[meaning] != NO_NOUN}

    def above(self, meaning: int) -> Iterator[int]:
        """A meaning, what it is a kind of, and so on."""
        here: int | None = meaning
        while here is not None:
            yield here
            here = self.broader[here]


def relations(names: Iterable[str], words: Sequence[str]) -> list[Relation]:
    """What each word is to a concept that has these names. Of names that are no English nouns nothing is known."""
    known, names = _meanings(), tuple(names)
    meanings = known.common(names)
    if not meanings:
        return [Relation.UNKNOWN] * len(words)
    numbers = {key(other_number(name)) for name in names}
    return [Relation.NAME if key(word) in numbers else _relation(known, set(meanings), word) for word in words]


def synonyms(names: Iterable[str]) -> list[str]:
    """Words for the same, the names themselves among them."""
    known = _meanings()
    return list(dict.fromkeys(word for meaning in known.common(names) for word in known.words[meaning]))


def kinds_of(names: Iterable[str]) -> list[str]:
    """Words for its kinds and for theirs, the nearest first."""
    known = _meanings()
    found: dict[str, None] = {}
    here = list(known.common(names))
    while here:
        here = [kind for meaning in here for kind in known.kinds[meaning]]
        found |= dict.fromkeys(word for meaning in here for word in known.words[meaning])
    return list(found)


def _relation(known: _Meanings, concept: set[int], word: str) -> Relation:
    meanings = [meaning for _, meaning in known.of(word)]
    if any(concept.intersection(known.above(meaning)) for meaning in meanings):
        return Relation.NAME
    if any(known.broader[meaning] in meanings for meaning in concept):
        return Relation.BROADER
    if {known.sorts[meaning] for meaning in meanings} & {known.sorts[meaning] for meaning in concept}:
        return Relation.ALIKE
    return Relation.OTHER if meanings or key(word).endswith(INFLECTED) else Relation.UNKNOWN


@cache
def _meanings() -> _Meanings:
    return _Meanings()
