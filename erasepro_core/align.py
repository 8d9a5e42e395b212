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


@dataclass(frozen=True)
class Alignment:
    """Pairs of positions, `(in the target prompt, in the anchor prompt)`."""

    content: tuple[tuple[int, int], ...]
    """Concept, suffix and end tokens: the columns of the constraint."""
    padding: tuple[tuple[int, int], ...]
    """Padding tokens that are measured, never constrained: they follow from the others."""
    last: tuple[int, int]
    """The last token of the concept on both sides."""


def align(target: TokenRow, anchor: TokenRow, prefix: int) -> Alignment:
    """Aligns two prompts that share their first `prefix` word tokens and whatever follows the concept.

    Concept tokens are right-aligned, last to last; target tokens in excess answer to the first anchor token; suffix
    tokens by their offset from the concept's end; end token to end token; padding by its offset from there. An anchor
    without tokens of its own lends the token after the gap, never BOS.

    Args:
        target, anchor: the two prompts, same length of chunk.
        prefix: number of word tokens before the concept, as tokenised without it.
    """
    common = _common(target.ids[target.start : target.end], anchor.ids[anchor.start : anchor.end])
    before = min(prefix, common)
    t0, a0 = target.start + before, anchor.start + before
    suffix = _common(target.ids[t0 : target.end][::-1], anchor.ids[a0 : anchor.end][::-1])
    t1, a1 = target.end - suffix, anchor.end - suffix
    concept = [(t, max(a0, min(a1 - (t1 - t), len(anchor.ids) - 1))) for t in range(t0, t1)]
    if a1 == a0:
        concept = [(t, a1) for t in range(t0, t1)]
    tail = [(t1 + i, a1 + i) for i in range(suffix + 1) if target.end < len(target.ids) or i < suffix]
    padding = [(target.end + i, anchor.end + i) for i in PADDING_OFFSETS]
    size = len(target.ids)
    return Alignment(
        content=tuple(concept + tail),
        padding=tuple(pair for pair in padding if max(pair) < size),
        last=concept[-1] if concept else (t1, a1),
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
