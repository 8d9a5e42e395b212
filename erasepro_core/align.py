"""Which token of the target prompt answers which token of the anchor prompt; token ids only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PADDING_OFFSETS = (1, 2, 4, 8, 16, 32)
"""Padding tokens that are looked at, counted from the end token: near-copies of each other, so a few stand for all."""


@dataclass(frozen=True)
class TokenRow:
    """The ids of one prompt in one chunk."""

    ids: tuple[int, ...]
    start: int
    """Position of the first token of the words (after BOS, where there is one)."""
    end: int
    """Position behind the last token of the words: the end token, where there is one."""
    weights: tuple[float, ...] = ()
    """How much each token counts where a prompt emphasises words: 1 as usual. Alignment does not look at it."""


@dataclass(frozen=True)
class Alignment:
    """Pairs of positions, `(in the target prompt, in the anchor prompt)`."""

    concept: tuple[tuple[int, int], ...]
    """Tokens of the concept."""
    suffix: tuple[tuple[int, int], ...]
    """The words after it and the end token."""
    padding: tuple[tuple[int, int], ...]
    """A few padding tokens, by their offset from the end token."""

    @property
    def columns(self) -> tuple[tuple[int, int], ...]:
        """All of them: the columns of the constraint, and what leak is measured on."""
        return self.concept + self.suffix + self.padding


def align(target: TokenRow, anchor: TokenRow, before: tuple[int, int]) -> Alignment:
    """Aligns two prompts that are the same sentence but for the concept.

    Concept tokens are right-aligned, last to last; target tokens in excess answer to the first anchor token; suffix
    tokens by their offset from the concept's end; end token to end token; padding by its offset from there. An anchor
    without tokens of its own lends the token after the gap, never BOS.

    Args:
        target, anchor: the two prompts, same length of chunk.
        before: number of word tokens before the concept in each, as tokenised without it.
    """
    t0, a0 = target.start + before[0], anchor.start + before[1]
    suffix = _common(target.ids[t0 : target.end][::-1], anchor.ids[a0 : anchor.end][::-1])
    t1, a1 = target.end - suffix, anchor.end - suffix
    first, last = (a0, a1 - 1) if a1 > a0 else (a1, a1)
    concept = [(t, max(first, last + 1 - (t1 - t))) for t in range(t0, t1)]
    tail = [(t1 + i, a1 + i) for i in range(suffix + 1) if target.end < len(target.ids) or i < suffix]
    padding = [(target.end + i, anchor.end + i) for i in PADDING_OFFSETS]
    size = len(target.ids)
    return Alignment(
        concept=tuple(concept),
        suffix=tuple(tail),
        padding=tuple(pair for pair in padding if max(pair) < size),
    )


def content_positions(row: TokenRow) -> list[int]:
    """Positions of the words and the end token."""
    return [*range(row.start, min(row.end + 1, len(row.ids)))]


def measured_positions(row: TokenRow) -> list[int]:
    """Positions of the words, the end token and a few padding tokens."""
    return content_positions(row) + [row.end + i for i in PADDING_OFFSETS if row.end + i < len(row.ids)]


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many leading items the two have in common."""
    count = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        count += 1
    return count
