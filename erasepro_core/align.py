"""Which token of the target prompt answers which token of the anchor prompt; token ids only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PADDING_OFFSETS = (1, 2, 4, 8)
"""Padding tokens that are looked at, counted from the end token: near-copies of each other, so a few stand for all."""


@dataclass(frozen=True)
class TokenRow:
    """The ids of one prompt in one chunk."""

    ids: tuple[int, ...]
    start: int
    """Position of the first token of the words (after BOS, where there is one)."""
    end: int
    """Position behind the last token of the words: the end token, where there is one."""
    tail: int = 1
    """How many tokens behind the words carry meaning: the end token, or what a template puts there."""
    weights: tuple[float, ...] = ()
    """Emphasis of each token, 1 without any. Alignment does not use it."""

    @property
    def words(self) -> tuple[int, ...]:
        """The ids of the words alone."""
        return self.ids[self.start : self.end]

    def read(self, padding: int | None) -> int:
        """How many tokens from the first on are read, with so many padding tokens behind the end, or None for all."""
        return len(self.ids) if padding is None else min(len(self.ids), self.end + self.tail + padding)


POOLED_ROW = TokenRow((0,), 0, 0)
"""The one vector that stands for a whole prompt, as a row that is nothing but an end token."""


@dataclass(frozen=True)
class Alignment:
    """Pairs of positions, `(in the target prompt, in the anchor prompt)`."""

    concept: tuple[tuple[int, int], ...]
    """Tokens of the concept."""
    suffix: tuple[tuple[int, int], ...]
    """The words after it and the end token, or the end of a template."""
    padding: tuple[tuple[int, int], ...]
    """A few padding tokens, by their offset from the end token."""
    prefix: tuple[tuple[int, int], ...] = ()
    """What stands before it, where that depends on what follows."""

    @property
    def columns(self) -> tuple[tuple[int, int], ...]:
        """All of them: the columns of the constraint, and what leak is measured on."""
        return self.concept + self.suffix + self.padding + self.prefix


def align(
    target: TokenRow, anchor: TokenRow, before: tuple[int, int], *, padding: bool = True, causal: bool = True
) -> Alignment:
    """Aligns two prompts that are the same sentence but for the concept.

    Concept tokens are right-aligned, last to last; extra target tokens answer the first anchor token. Suffix tokens are
    aligned by their offset from the concept's end, end token to end token, padding by its offset from there. If the
    anchor is empty, the token that follows is used, never BOS.

    Args:
        target, anchor: the two prompts, same length of chunk.
        before: number of word tokens before the concept in each, as `words_before` has them.
        padding: whether anything reads what stands behind the end.
        causal: whether what stands before the concept is the same in both. Else it is aligned as well, by its offset
            from the concept, and what stands before all words by its place.
    """
    t0, a0 = target.start + before[0], anchor.start + before[1]
    suffix = common(target.ids[t0 : target.end][::-1], anchor.ids[a0 : anchor.end][::-1])
    t1, a1 = target.end - suffix, anchor.end - suffix
    gap = min(a1, len(anchor.ids) - 1)  # a row may end with its last word
    first, last = (a0, a1 - 1) if a1 > a0 else (gap, gap)
    concept = [(t, max(first, last + 1 - (t1 - t))) for t in range(t0, t1)]
    return Alignment(
        concept=tuple(concept),
        suffix=tuple((t1 + i, a1 + i) for i in range(suffix + target.tail)),
        padding=tuple(zip(_padding(target), _padding(anchor), strict=False)) if padding else (),
        prefix=() if causal else _prefix(target, anchor, before),
    )


def _prefix(target: TokenRow, anchor: TokenRow, before: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Start tokens, and the words before the concept, the last with the last."""
    starts = [(i, i) for i in range(min(target.start, anchor.start))]
    words = [(target.start + before[0] - i, anchor.start + before[1] - i) for i in range(min(before), 0, -1)]
    return (*starts, *words)


def words_before(row: TokenRow, prefix: TokenRow) -> int:
    """How many word tokens of a prompt stand before its concept.

    Args:
        row: the prompt.
        prefix: what stands before the concept, alone. A space at its end may be a token there and belong to the
            concept's first token in the prompt, so only what both have in common counts.
    """
    return common(row.words, prefix.words)


def content_positions(row: TokenRow) -> list[int]:
    """Positions of the words and the end token, or the end of a template."""
    return [*range(row.start, row.end + row.tail)]


def name_positions(row: TokenRow) -> list[int]:
    """Positions of the words; of a pooled vector, which has none, its own."""
    return [*range(row.start, max(row.end, row.start + 1))]


def all_positions(row: TokenRow, *, padding: bool = True) -> list[int]:
    """Positions of everything that may be read, BOS and all padding among it."""
    return [*range(len(row.ids) if padding else row.end + row.tail)]


def measured_positions(row: TokenRow, *, padding: bool = True) -> list[int]:
    """Positions of the words, the end token and a few padding tokens."""
    return content_positions(row) + (_padding(row) if padding else [])


def _padding(row: TokenRow) -> list[int]:
    """Positions of a few padding tokens."""
    behind = row.end + row.tail - 1
    return [behind + i for i in PADDING_OFFSETS if behind + i < len(row.ids)]


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many leading items the two have in common."""
    count = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        count += 1
    return count
