"""The methods of concept erasure, one class each: its columns, its preserves, its solver, and what it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import ClassVar

from torch import Tensor

from .align import Alignment, TokenRow, all_positions, content_positions, measured_positions, name_positions
from .families import Encoder
from .prompts import Prompts
from .solve import RightFactor, uce_factor, zero_residual_factor
from .stays import Stays

RTOL = 1e-3
"""Directions weaker than this share of the strongest are noise in targets, and weighted in what else would be exact."""
STAYS = ("exact", "weighted", "mixed", "neutral")
"""How tokens that must not move are held: as they are, by a weight, by a weight of their own where they stand for the
words of a compound, or by a weight for all everyday prompts."""
MEASURED = STAYS[1:]
"""Those that may move a little, so that they only measure how much a change costs."""
MIXED = 10.0
"""How much the phrases of `Prompts.mixed` count against other preserved prompts: they are all that tells a compound's
words from the compound."""
ROOM = 3
"""An encoder so many times as wide as the empty prompt has tokens holds all of it (docs/decisions/0010)."""
PRESERVE_TEMPLATES = 4
"""Sentences in which each preserved name stands."""


class Where(str, Enum):
    """Which weights may change."""

    BOTH = "text encoder and cross-attention"
    TEXT_ENCODER = "text encoder"
    CROSS_ATTENTION = "cross-attention"


class Preserve(str, Enum):
    """How preserved names are kept."""

    EXACT = "exact"
    WEIGHTED = "weighted"
    OFF = "off"


Positions = Callable[[TokenRow], Iterable[int]]
Places = list[tuple[int, int]]
"""Row and position of some tokens of a batch."""
PlacesOf = Callable[[Iterable[str], Positions], Places]
"""Gives the places of some positions in some prompts."""


@dataclass(frozen=True)
class Solver:
    """Solves for all layers with one input."""

    solve: Callable[[Tensor, Tensor, float, Stays], RightFactor]
    """Gets the features at the target tokens, `[d, n]`, which concept each belongs to, `[n]`, the tolerance, and what
    must not move."""
    stays: Stays
    """What must not move; empty for a method that does not measure it."""
    parts: Mapping[str, float]
    """How much each part of what must not move counts, by its name in `STAYS`."""

    def __call__(self, target: Tensor, concept: Tensor, tolerance: float) -> RightFactor:
        return self.solve(target, concept, tolerance, self.stays)


@dataclass(frozen=True)
class TokenSource:
    """What decides which tokens of an encoder are used; the defaults are those of a pooled vector."""

    padding: bool = False
    """Whether padding is read at all."""
    causal: bool = True
    sampled: bool = False
    """Whether a few padding tokens of the empty prompt stand for all of them, since all would take too much room."""
    pooled: bool = False
    """Whether the encoder's pooled vector is read besides."""

    @classmethod
    def of(cls, encoder: Encoder, pooled: bool, tokens: int, width: int | None) -> TokenSource:
        """The tokens of an encoder.

        Args:
            encoder: whose.
            pooled: whether its pooled vector is read besides.
            tokens: how many the empty prompt has.
            width: how many values a token's feature has; None if unknown.
        """
        narrow = width is not None and width < ROOM * tokens
        return cls(encoder.padding, encoder.causal, encoder.sampled and narrow, pooled)


class Method:
    """How an erasure is computed. Each method is a subclass."""

    name: ClassVar[str]
    """As shown to the user, and in files."""
    must_erase: ClassVar[bool] = False
    """Whether a concept that is left in place is an error."""
    pooled: ClassVar[bool] = True
    """Whether layers that read a pooled vector change too."""
    tables: ClassVar[bool] = False
    """Whether tables of token embeddings may change too."""
    forms: ClassVar[bool] = False
    """Whether forms of a name that are not listed may be erased with it."""
    preserve_sentences: ClassVar[int] = PRESERVE_TEMPLATES

    def where(self, asked: Where) -> Where:
        """Which weights change when the user asks for some."""
        return asked

    def sentences(self, asked: int) -> int:
        """In how many sentences each name is erased when the user asks for a number."""
        return asked

    def columns(self, tokens: Alignment) -> Sequence[tuple[int, int]]:
        """The aligned positions of a prompt pair that become columns."""
        raise NotImplementedError

    def preserved(self, prompts: Prompts, mode: Preserve, source: TokenSource, places: PlacesOf) -> tuple[Places, ...]:
        """Tokens to hold exactly, and tokens to move as little as possible."""
        raise NotImplementedError

    def solver(self, stays: Mapping[str, Tensor], *, like: Tensor, weight: float) -> Solver:
        """Prepares the solves for layers with one input.

        Args:
            stays: the input's features that must not move, `[d, n]`, by how they are held; see `STAYS`.
            like: any of its features.
            weight: how much preserved prompts count against everyday prompts, which count 1.
        """
        raise NotImplementedError


class ErasePro(Method):
    """Zero residual on every aligned token, weighed by everyday prompts (arXiv:2508.04472; docs/method.md)."""

    name = "ErasePro"
    must_erase = True
    tables = True
    forms = True

    def columns(self, tokens: Alignment) -> Sequence[tuple[int, int]]:
        return tokens.columns

    def preserved(self, prompts: Prompts, mode: Preserve, source: TokenSource, places: PlacesOf) -> tuple[Places, ...]:
        """The empty prompt is always exact. What cannot be exact counts in the second list, where it is weighted."""
        whole = partial(all_positions, padding=source.padding)
        always = places([""], partial(_sampled, padding=source.padding) if source.sampled else whole)
        named = places(prompts.preserves, content_positions) if mode is not Preserve.OFF else []
        near = places([*prompts.anchors, *prompts.related, *prompts.near], content_positions)
        names = places(prompts.names, _exact_positions(source)) if mode is Preserve.EXACT else []
        return always + names, always + named + near

    def solver(self, stays: Mapping[str, Tensor], *, like: Tensor, weight: float) -> Solver:
        parts = {"neutral": 1.0, "weighted": weight, "mixed": MIXED * weight}
        kept = Stays.of(stays["exact"], [(stays[part], count) for part, count in parts.items()], like=like, rtol=RTOL)

        def solve(target: Tensor, concept: Tensor, tolerance: float, stays: Stays) -> RightFactor:
            return zero_residual_factor(target, stays, concept=concept, rtol=RTOL, max_cost=tolerance)

        return Solver(solve, kept, parts)


class UCE(Method):
    """Unified Concept Editing as published: keys and values, one sentence, the last token (arXiv:2308.14761)."""

    name = "UCE"
    pooled = False
    preserve_sentences = 1
    end_tokens: ClassVar[int] = 0
    """How many end tokens count beside the last token of a name."""

    def where(self, asked: Where) -> Where:
        return Where.CROSS_ATTENTION

    def sentences(self, asked: int) -> int:
        return 1

    def columns(self, tokens: Alignment) -> Sequence[tuple[int, int]]:
        last = (tokens.concept or tokens.suffix)[-1]
        ends = tokens.suffix[-self.end_tokens :] if self.end_tokens else ()
        return [*dict.fromkeys((last, *ends))]

    def preserved(self, prompts: Prompts, mode: Preserve, source: TokenSource, places: PlacesOf) -> tuple[Places, ...]:
        positions = lambda row: range(max(row.end - 1, 0), row.end + self.end_tokens)  # noqa: E731
        return places(prompts.preserves, positions), []

    def solver(self, stays: Mapping[str, Tensor], *, like: Tensor, weight: float) -> Solver:
        return Solver(lambda target, *_: uce_factor(target, stays["exact"]), Stays.of(like=like[:0]), {})


class UCEWithTemplates(UCE):
    """The same with as many sentences as ErasePro, the end token, and pooled vectors: a stronger baseline."""

    name = "UCE with templates"
    pooled = True
    preserve_sentences = PRESERVE_TEMPLATES
    end_tokens = 1

    def sentences(self, asked: int) -> int:
        return asked


METHODS: tuple[Method, ...] = (ErasePro(), UCE(), UCEWithTemplates())


def _exact_positions(source: TokenSource) -> Positions:
    """Which tokens of a preserved name are held: the name's own, since what follows it is nearly what follows a target.

    Its pooled vector is its end token, so that is held too where one is read. Where every token depends on all others,
    the name stays only if the whole row does (docs/decisions/0005, 0010).
    """
    if not source.causal:
        return partial(all_positions, padding=source.padding)
    return content_positions if source.pooled else name_positions


def _sampled(row: TokenRow, *, padding: bool) -> list[int]:
    """All that stands before the end, and a few padding tokens that stand for the others (docs/decisions/0010)."""
    return [*range(row.start), *measured_positions(row, padding=padding)]
