"""Makes erasepro_core/texts/meanings.txt from the files of WordNet 3.0.

`python -m tests.words.meanings <folder with data.noun and index.noun>`; Debian's package wordnet-base has them. A line
is a meaning, with the words for it; its kinds are indented below it. A digit behind a word says that this is its second
to fifth meaning. Words for scorn and obscene words are left out, and so are names, terms of several words and all
meanings beyond the fifth. Words that are no nouns come last.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.pack import ROOT

FILE = ROOT / "erasepro_core" / "texts" / "meanings.txt"
SORTS = """
act animal made quality body thought said event feeling food group place motive natural person phenomenon plant owned
process amount relation shape state substance time
"""
"""Names of the lexicographer files of nouns, from the fourth on."""
FIRST_SORT = 4
TOPS = 3
"""The file with the tops of all others."""
MEANINGS = 5
"""So many meanings of a word are written."""
WORD = re.compile(r"[a-z][a-z-]+")
REFUSED = re.compile(
    r"slur|offensive|obscen|vulgar|disparag|derogat|contemptuous|insult|taboo|dirty word|promiscuous"
    r"|\bsexual|coitus|genital|penis|(spiteful|untidy) woman|milk-secreting"
)
"""In the explanation of a meaning: its words are left out."""


class Meaning(NamedTuple):
    """A synset of nouns."""

    sort: int
    words: tuple[str, ...]
    broader: tuple[str, ...]
    explained: str


def meanings(folder: Path) -> dict[str, Meaning]:
    """Every synset of nouns by its address in the file."""
    found = {}
    for line in _lines(folder / "data.noun"):
        fields, _, explained = line.partition(" | ")
        address, sort, _, count, *rest = fields.split()
        end = 2 * int(count, 16)
        links = rest[end + 1 :]
        broader = [
            to for sign, to, of in zip(links[::4], links[1::4], links[2::4], strict=False) if sign == "@" and of == "n"
        ]
        found[address] = Meaning(int(sort), tuple(rest[:end:2]), tuple(broader), explained)
    return found


def ranks(folder: Path) -> dict[tuple[str, str], int]:
    """Which meaning of a word a synset is, the commonest one being the first, by word and address."""
    found = {}
    for line in _lines(folder / "index.noun"):
        word, _, count, *rest = line.split()
        found |= {(word, address): rank for rank, address in enumerate(rest[-int(count) :], start=1)}
    return found


def no_nouns(folder: Path) -> set[str]:
    """Adjectives, adverbs and verbs that are no nouns."""
    nouns = {line.split()[0] for line in _lines(folder / "index.noun")}
    others = {line.split()[0] for part in ("adj", "adv", "verb") for line in _lines(folder / f"index.{part}")}
    refused = {
        word.split("(")[0].lower()
        for part in ("adj", "adv", "verb")
        for line in _lines(folder / f"data.{part}")
        if REFUSED.search(line)
        for word in line.split()[4 : 4 + 2 * int(line.split()[3], 16) : 2]
    }
    return {word for word in others - nouns - refused if WORD.fullmatch(word) and "-" not in word}


@dataclass
class Writer:
    """Lines of the file, sort by sort."""

    known: dict[str, Meaning]
    rank: dict[tuple[str, str], int]

    def __post_init__(self) -> None:
        self.kinds: dict[str, list[str]] = defaultdict(list)
        for address, meaning in self.known.items():
            for broader in meaning.broader:
                self.kinds[broader].append(address)
        self.sorts = {address: self.sort_of(address) for address in self.known}

    def sort_of(self, address: str) -> int:
        """The sort of a meaning; of a top, what most of its kinds are."""
        meaning = self.known[address]
        below = Counter(self.known[kind].sort for kind in self.kinds[address])
        return below.most_common(1)[0][0] if meaning.sort == TOPS and below else meaning.sort

    def words(self, address: str) -> list[str]:
        """What is written of a meaning."""
        meaning = self.known[address]
        if REFUSED.search(meaning.explained):
            return []
        found = [(word, self.rank[word.lower(), address]) for word in meaning.words if WORD.fullmatch(word)]
        return [word if rank == 1 else f"{word}{rank}" for word, rank in found if rank <= MEANINGS]

    def section(self, sort: int) -> Iterator[str]:
        """The meanings of a sort, each below the one that it is a kind of."""
        for address, meaning in self.known.items():
            if self.sorts[address] == sort and all(self.sorts[broader] != sort for broader in meaning.broader):
                yield from self.below(address, 0)

    def below(self, address: str, depth: int) -> Iterator[str]:
        """A meaning and its kinds; a meaning without words stands for nothing."""
        if words := self.words(address):
            yield " " * depth + " ".join(words)
            depth += 1
        for kind in self.kinds[address]:
            if self.sorts[kind] == self.sorts[address]:
                yield from self.below(kind, depth)


def _lines(file: Path) -> Iterator[str]:
    """Without the licence at the top."""
    yield from (line for line in file.read_text().splitlines() if not line.startswith(" "))


def main(folder: Path) -> None:
    """Writes the file."""
    writer = Writer(meanings(folder), ranks(folder))
    text = []
    for sort, name in enumerate(SORTS.split(), start=FIRST_SORT):
        text += [f"# {name}", *writer.section(sort)]
    text += ["# no noun", *textwrap.wrap(" ".join(sorted(no_nouns(folder))), 120)]
    FILE.write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
