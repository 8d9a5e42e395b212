"""The batch of one solve: every prompt in it, and which of its tokens play which part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .align import Alignment, TokenRow, align, content_positions, measured_positions
from .concept import PromptPair, Request, in_sentences, related_phrases
from .measure import Encoded, prefix_lengths
from .neutral import FIT_PROMPTS, PROBE_PROMPTS
from .path import TextPath

PRESERVE_TEMPLATES = 4
"""Sentences in which each preserved name is shown."""

WHERE = ("text encoder and cross-attention", "text encoder", "cross-attention")
SCHEDULES = ("progressive", "joint", "deep only")
PRESERVES = ("exact", "weighted", "off")
METHODS = ("ErasePro", "UCE", "UCE with templates")


@dataclass(frozen=True)
class Options:
    """How to solve; the defaults were chosen by measurement (docs/decisions)."""

    where: str = WHERE[0]
    schedule: str = SCHEDULES[0]
    preserve: str = PRESERVES[0]
    preserve_strength: float = 1.0
    """How much weighted preserves count against neutral prompts, which count 1."""
    templates: int = 16
    """Sentences for each name."""
    tolerance: float = 0.03
    """Directions of the targets weaker than this share of the strongest are met on average, not one by one."""
    method: str = METHODS[0]


Columns = tuple[Tensor, Tensor]
"""Rows and positions of some tokens of the batch."""


@dataclass(frozen=True)
class Plan:
    """The batch of prompts of one solve, and which of its tokens play which part."""

    rows: tuple[TokenRow, ...]
    row_of: Mapping[str, int]
    """Row by prompt, in the part of the batch that feels the updates."""
    anchor_row_of: Mapping[str, int]
    """Row by anchor prompt, in the part that stays as the original model has it."""
    target: Columns
    anchor: Columns
    concept: Tensor
    """Which concept each column belongs to."""
    exact: Columns
    weighted: Columns
    neutral: Columns
    pairs: tuple[PromptPair, ...]
    unseen: tuple[PromptPair, ...]
    groups: Mapping[str, tuple[str, ...]]
    """Prompts whose drift is measured, by name of the group."""
    prefix: Mapping[str, int]

    @property
    def felt(self) -> int:
        """Number of leading rows that feel the updates."""
        return len(self.row_of)

    def encoded(self, features: Tensor) -> Encoded:
        """The batch's features by prompt, as the rows that feel the updates have them."""
        return Encoded(
            {p: self.rows[r] for p, r in self.row_of.items()}, {p: features[r] for p, r in self.row_of.items()}
        )


def make_plan(request: Request, options: Options, path: TextPath) -> Plan:
    """Lays out every prompt of a solve as one batch."""
    pairs, unseen = request.pairs(_templates(options)), request.unseen_pairs()
    few = request.concepts[0].kind.templates[:PRESERVE_TEMPLATES]
    preserves = in_sentences(request.preserves, few)
    related = in_sentences(dict.fromkeys(p for c in request.concepts for p in related_phrases(c)), few)
    anchors = _unique(pair.anchor_prompt for pair in pairs)
    unseen_anchors = _unique(pair.anchor_prompt for pair in unseen)
    targets = [pair.target_prompt for pair in (*pairs, *unseen)]
    felt = _unique(["", *targets, *anchors, *unseen_anchors, *preserves, *related, *FIT_PROMPTS, *PROBE_PROMPTS])
    still = _unique([*anchors, *unseen_anchors])
    rows = path.tokenize([*felt, *still])
    row_of = {prompt: index for index, prompt in enumerate(felt)}
    anchor_row_of = {prompt: len(felt) + index for index, prompt in enumerate(still)}
    prefix = prefix_lengths(path, [*pairs, *unseen])

    target, anchor, concept = [], [], []
    for pair in pairs:
        t, a = row_of[pair.target_prompt], anchor_row_of[pair.anchor_prompt]
        aligned = align(rows[t], rows[a], prefix[pair.prefix])
        for i, j in _constrained(aligned, options):
            target.append((t, i))
            anchor.append((a, j))
            concept.append(pair.concept)

    def tokens(prompts: Iterable[str], positions: Callable[[TokenRow], Iterable[int]]) -> list[tuple[int, int]]:
        return [(row_of[p], i) for p in prompts for i in positions(rows[row_of[p]])]

    groups = {"preserves": preserves, "related": related, "anchors": unseen_anchors, "neutral": PROBE_PROMPTS}
    held = tokens([""], lambda row: [*range(row.start), *measured_positions(row)])
    named = tokens(preserves, content_positions)
    weighted = tokens([*anchors, *related], content_positions)
    return Plan(
        rows=tuple(rows),
        row_of=row_of,
        anchor_row_of=anchor_row_of,
        target=_columns(target),
        anchor=_columns(anchor),
        concept=torch.tensor(concept),
        exact=_columns(held + (named if options.preserve == "exact" else [])),
        weighted=_columns(held + weighted + (named if options.preserve != "off" else [])),
        neutral=_columns(tokens(FIT_PROMPTS, measured_positions)),
        pairs=tuple(pairs),
        unseen=tuple(unseen),
        groups={name: tuple(group) for name, group in groups.items() if group},
        prefix=prefix,
    )


def _templates(options: Options) -> int:
    return 1 if options.method == "UCE" else options.templates


def _constrained(aligned: Alignment, options: Options) -> Sequence[tuple[int, int]]:
    """The pairs of positions that become columns; UCE as published takes one token, its variant the end token too."""
    if options.method == "ErasePro":
        return aligned.content
    return [aligned.last] if options.method == "UCE" else [aligned.last, aligned.content[-1]]


def _unique(prompts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(prompts))


def _columns(tokens: Sequence[tuple[int, int]]) -> Columns:
    where = torch.tensor(tokens, dtype=torch.long).reshape(-1, 2)
    return where[:, 0], where[:, 1]


def take(features: Tensor, columns: Columns) -> Tensor:
    """The features of some tokens as columns, `[d, n]`."""
    rows, positions = (index.to(features.device) for index in columns)
    return features[rows, positions].T
