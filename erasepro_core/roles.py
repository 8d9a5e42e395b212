"""Which tokens of a batch of prompts play which part in a solve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain

import torch
from torch import Tensor

from .align import PADDING_OFFSETS, content_positions, measured_positions
from .capture import Columns
from .concept import PromptPair
from .encoded import Prefixes, aligned
from .methods import MEASURED, Places, PlacesOf, Positions, TokenSource
from .options import Options
from .path import Rows, TextPath
from .prompts import Prompts, some, unique

PADDED = 4
"""The padding of every fourth everyday prompt is read; that of the others would say the same again."""
FOLLOWED = 16384
"""Tokens of what must not move that are encoded in one pass with the targets of a compound."""


@dataclass(frozen=True)
class Tokens:
    """Which tokens of the batch play which part, as one encoder counts them."""

    target: Columns
    anchor: Columns
    """The token that answers each of them."""
    pair: Tensor
    """Which prompt pair each of them belongs to, `[n]`."""
    exact: Columns
    weighted: Columns
    mixed: Columns
    neutral: Columns
    followed: Columns
    """Those of what must not move that are followed through the layers that change (docs/decisions/0113): where a
    compound is erased the weighted and the mixed ones, and of everyday prompts those whose padding is read."""
    parts: Mapping[str, int]
    """How many of these are held in which way, in their order; see `methods.MEASURED`."""

    def count(self, roles: Iterable[str]) -> int:
        """How many columns some parts have together, by their names here."""
        return sum(len(getattr(self, role)[0]) for role in roles)


@dataclass(frozen=True)
class Roles:
    """The prompts of a solve in their rows, ready to be read as any encoder counts their tokens."""

    pairs: Sequence[PromptPair]
    prompts: Prompts
    options: Options
    prefixes: Prefixes
    known: Mapping[str, Rows]
    """By prompt, of those that receive the updates."""
    row_of: Mapping[str, int]

    def padding(self, prompt: str) -> int | None:
        """How many padding tokens of a prompt are read; None for all."""
        if prompt == "":
            return None  # what guidance compares with: held as a whole
        return PADDING_OFFSETS[-1] if prompt in self._padded else 0

    @cached_property
    def _padded(self) -> set[str]:
        """Prompts of which some padding is read too: all but neighbours and most everyday ones."""
        return {*self.prompts.all_but_fit(), *self.prompts.fit[::PADDED]}

    @cached_property
    def _followed(self) -> set[int]:
        """Rows of what must not move that are followed through the layers that change."""
        p = self.prompts
        if not p.mixed:
            return set()
        longest = max(row.read(PADDING_OFFSETS[-1]) for target in p.targets for row in self.known[target].values())
        stays = [*p.mixed, *p.preserves, *p.anchors, *p.related, *p.near, *p.fit[::PADDED]]
        return {self.row_of[prompt] for prompt in some(unique(stays), FOLLOWED // longest)}

    def tokens(self, name: str, source: TokenSource) -> Tokens:
        """The tokens of one encoder or pooled vector by the part they play."""
        method = self.options.method
        target: Places = []
        anchor: Places = []
        owner: list[int] = []
        reads = {"padding": source.padding, "causal": source.causal}
        for index, pair in enumerate(self.pairs):
            t, a = self.row_of[pair.target_prompt], self.row_of[pair.anchor_prompt]
            columns = method.columns(aligned(pair, self.known, self.prefixes, name, **reads))
            target += [(t, i) for i, _ in columns]
            anchor += [(a, j) for _, j in columns]
            owner += [index] * len(columns)

        def places(prompts: Iterable[str], positions: Positions) -> Places:
            return [(self.row_of[p], i) for p in prompts for i in positions(self.known[p][name])]

        exact, weighted = method.preserved(self.prompts, self.options.preserve, source, places)
        mixed, neutral = places(self.prompts.mixed, content_positions), self._neutral(places, source)
        parts = [[each for each in part if each[0] in self._followed] for part in (weighted, mixed, neutral)]
        return Tokens(
            target=_columns(target),
            anchor=_columns(anchor),
            pair=torch.tensor(owner),
            exact=_columns(exact),
            weighted=_columns(weighted),
            mixed=_columns(mixed),
            neutral=_columns(neutral),
            followed=_columns([*chain(*parts)]),
            parts=dict(zip(MEASURED, map(len, parts), strict=True)),
        )

    def _neutral(self, places: PlacesOf, source: TokenSource) -> Places:
        fit, padded = self.prompts.fit, self._padded
        first = places((p for p in fit if p in padded), partial(measured_positions, padding=source.padding))
        return first + places((p for p in fit if p not in padded), content_positions)


def sources(path: TextPath, empty: Rows) -> dict[str, TokenSource]:
    """Every encoder, and every pooled vector that an input takes its tokens from."""
    parts = {part for text_input in path.inputs for part in text_input.parts}
    found: dict[str, TokenSource] = {}
    for encoder in path.encoders:
        size = len(empty[encoder.name].ids), path.table_size(encoder)[1] if encoder.table else None
        found[encoder.name] = TokenSource.of(encoder, encoder.pooled in parts, *size)
    return found | {i.source: TokenSource() for i in path.inputs if i.source not in found}


def _columns(places: Places) -> Columns:
    where = torch.tensor(places, dtype=torch.long).reshape(-1, 2)
    return where[:, 0], where[:, 1]
