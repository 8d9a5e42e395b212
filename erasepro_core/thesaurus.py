"""What English words mean beside each other, from WordNet: the same, a kind of it, something alike, something else.

`texts/meanings.txt` has a line for each meaning, with the words for it and its kinds indented below. A digit behind a
word says that this is its second to fifth meaning. Words that are no nouns stand at the end.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache

from .number import other_number
from .path import Rows, TextPath
from .phrase import key
from .texts import sections

NO_NOUN = "no noun"
"""The heading above words that are no nouns."""
LATER = 3
"""So many meanings of a concept's name are looked at; what a word seldom means tells little."""
NEAR = 3
"""Steps over what both are a kind of, from one sibling to another at most."""
RANKS = "2345"
"""Digits behind a word: which of its meanings this is."""
INFLECTED = "ed", "ing"
"""Endings of verbs that the thesaurus has in their first form only."""
SAMPLED = 8
"""One in so many words of the thesaurus is looked at, to find the pieces that words share."""
SHARED = 1e-3
"""A piece that more than this share of words have is no name's own."""
AT_ONCE = 4
"""Words of one prompt that is tokenized for that."""


class Relation(Enum):
    """What a word is to a concept."""

    NAME = "another name or a kind of what the concept's name mostly means"
    SELDOM = "the same for what the name means less often"
    BROADER = "what it is a kind of"
    SIBLING = "a kind of nearly the same"
    ALIKE = "of the same sort, such as an animal"
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

    def nouns(self, names: Iterable[str], last: int) -> list[int]:
        """What names mean, the commonest meanings up to the last rank; no meaning of a word that is no noun."""
        found = (meaning for name in names for rank, meaning in sorted(self.of(name)) if rank <= last)
        return list(dict.fromkeys(meaning for meaning in found if self.sorts[meaning] != NO_NOUN))

    def above(self, meaning: int) -> Iterator[int]:
        """A meaning, what it is a kind of, and so on."""
        here: int | None = meaning
        while here is not None:
            yield here
            here = self.broader[here]

    def steps(self, one: int, other: int) -> float:
        """From a meaning up to what both are a kind of, and down to the other one; endless if there is nothing."""
        up = {meaning: steps for steps, meaning in enumerate(self.above(one))}
        return next((steps + up[each] for steps, each in enumerate(self.above(other)) if each in up), math.inf)


def relations(names: Iterable[str], words: Sequence[str]) -> list[Relation]:
    """What each word is to a concept that has these names. Of names that are no English nouns nothing is known."""
    known, names = _meanings(), tuple(names)
    first, all_of_them = set(known.nouns(names, 1)), set(known.nouns(names, LATER))
    if not all_of_them:
        return [Relation.UNKNOWN] * len(words)
    numbers = {key(other_number(name)) for name in names}
    return [Relation.NAME if key(word) in numbers else _relation(known, first, all_of_them, word) for word in words]


def all_words() -> list[str]:
    """Every word that it has."""
    return list(_meanings().of_word)


def is_word(word: str) -> bool:
    """Whether it has a word, in either number."""
    return bool(_meanings().of(word))


def synonyms(names: Iterable[str]) -> list[str]:
    """Words for the same, the names themselves among them."""
    known = _meanings()
    return list(dict.fromkeys(word for meaning in known.nouns(names, LATER) for word in known.words[meaning]))


def kinds_of(names: Iterable[str]) -> list[str]:
    """Words for its kinds and for theirs, the nearest first."""
    known = _meanings()
    found: dict[str, None] = {}
    here = known.nouns(names, LATER)
    while here:
        here = [kind for meaning in here for kind in known.kinds[meaning]]
        found |= dict.fromkeys(word for meaning in here for word in known.words[meaning])
    return list(found)


def _relation(known: _Meanings, first: set[int], concept: set[int], word: str) -> Relation:
    meanings = [meaning for _, meaning in known.of(word)]
    for wanted, relation in ((first, Relation.NAME), (concept, Relation.SELDOM)):
        if any(wanted.intersection(known.above(meaning)) for meaning in meanings):
            return relation
    if any(known.broader[meaning] in meanings for meaning in concept):
        return Relation.BROADER
    if any(known.steps(one, other) <= NEAR for one in concept for other in meanings):
        return Relation.SIBLING
    if {known.sorts[meaning] for meaning in meanings} & {known.sorts[meaning] for meaning in concept}:
        return Relation.ALIKE
    return Relation.OTHER if meanings or key(word).endswith(INFLECTED) else Relation.UNKNOWN


def shared_pieces(path: TextPath, pieces: Mapping[str, Sequence[int]]) -> dict[str, set[int]]:
    """Those of some tokens that many English words have in some spelling: `ness`, or the letter `K`.

    Only words with the letters of one of them are tokenized, and the words beside them.

    Args:
        path: the model.
        pieces: the tokens, by encoder.
    """
    tables = {str(encoder.table): pieces[encoder.name] for encoder in path.encoders if encoder.name in pieces}
    letters = [max(re.findall(r"\w+", text.lower()), key=len, default="") for text in path.words(tables)]
    words = all_words()[::SAMPLED] if letters else []
    parts = [" ".join(words[first : first + AT_ONCE]) for first in range(0, len(words), AT_ONCE)]
    parts = [part for part in parts if any(text in part.lower() for text in letters)]
    found: dict[str, set[int]] = {name: set() for name in pieces}
    for spelled in str.lower, str.title, str.upper:
        uses = used(path.tokenize([spelled(part) for part in parts]), list(pieces))
        for name, tokens in found.items():
            tokens.update(token for token in pieces[name] if uses[name][token] > SHARED * len(words))
    return found


def used(rows: Sequence[Rows], encoders: Sequence[str], words: Sequence[int] | None = None) -> dict[str, Counter[int]]:
    """How many of some prompts use each token, by encoder.

    Args:
        rows: their tokens.
        encoders: the encoders.
        words: how many words each prompt has, if only those count of which every word is one token.
    """
    found: dict[str, Counter[int]] = {name: Counter() for name in encoders}
    for place, row in enumerate(rows):
        for name, tokens in found.items():
            ids = row[name].words
            if words is None or len(ids) == words[place]:
                tokens.update({*ids})
    return found


@cache
def _meanings() -> _Meanings:
    return _Meanings()
