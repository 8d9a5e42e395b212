"""The batch of one solve: every prompt in it, and which of its tokens play which part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from .align import (
    Alignment,
    TokenRow,
    all_positions,
    content_positions,
    measured_positions,
    name_positions,
)
from .concept import ConceptError, PromptPair, Request, in_sentences, related_phrases
from .families import Encoder, TextInput
from .measure import Encoded, Prefixes, aligned, encoded, matched
from .neutral import FIT_PROMPTS, PROBE_PROMPTS
from .path import Features, Rows, TextPath

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
    """How much preserved prompts count against everyday prompts, which count 1."""
    templates: int = 28
    """Sentences for each name."""
    tolerance: float = 0.1
    """A direction is corrected while everyday prompts move by less than this share of what is corrected."""
    method: str = METHODS[0]


Places = list[tuple[int, int]]
"""Row and position of some tokens of the batch."""
Columns = tuple[Tensor, Tensor]
"""The same as two index tensors."""


@dataclass(frozen=True)
class Tokens:
    """Which tokens of the batch play which part, as one encoder counts them."""

    target: Columns
    anchor: Columns
    """In the rows behind, which stay as the original model has them."""
    concept: Tensor
    """Which concept each column belongs to."""
    exact: Columns
    weighted: Columns
    neutral: Columns


@dataclass(frozen=True)
class Plan:
    """The batch of prompts of one solve, and which of its tokens play which part."""

    rows: tuple[Rows, ...]
    row_of: Mapping[str, int]
    """Row by prompt, in the leading part of the batch, which feels the updates."""
    tokens: Mapping[str, Tokens]
    """By encoder, and by pooled vector."""
    pairs: tuple[PromptPair, ...]
    unseen: tuple[PromptPair, ...]
    groups: Mapping[str, tuple[str, ...]]
    """Prompts whose drift is measured, by name of the group."""
    prefixes: Prefixes

    @property
    def felt(self) -> int:
        """Number of leading rows that feel the updates."""
        return len(self.row_of)

    def encoded(self, path: TextPath, features: Features) -> Encoded:
        """The batch's features by prompt, as the rows that feel the updates have them."""
        return encoded(path, {p: self.rows[r] for p, r in self.row_of.items()}, features)

    def take(self, features: Features, inputs: Sequence[TextInput], part: str) -> Tensor:
        """The features of all tokens that play a part in some inputs, as columns, `[d, n]`."""
        found = [take(features[i.name], getattr(self.tokens[i.source], part)) for i in inputs]
        return found[0] if len(found) == 1 else torch.cat(found, dim=1)


def make_plan(request: Request, options: Options, path: TextPath) -> Plan:
    """Lays out every prompt of a solve as one batch.

    Raises:
        ConceptError: two names that must differ are the same tokens to this model.
        ValueError: a prompt does not fit into one chunk.
    """
    published = options.method == "UCE"
    pairs = request.pairs(1 if published else options.templates)
    both, prefixes = matched(path, [*pairs, *request.unseen_pairs()])
    pairs, unseen = both[: len(pairs)], both[len(pairs) :]
    prompts = _Prompts(request, pairs, unseen, 1 if published else PRESERVE_TEMPLATES)
    felt = _unique(["", *prompts.targets, *prompts.anchors, *prompts.stays, *prompts.neutral])
    still = _unique(pair.anchor_prompt for pair in pairs)
    rows = path.tokenize([*felt, *still])
    row_of = {prompt: index for index, prompt in enumerate(felt)}
    anchor_row_of = {prompt: len(felt) + index for index, prompt in enumerate(still)}
    known = {prompt: rows[row] for prompt, row in row_of.items()}
    _refuse_same_tokens(pairs, known)
    layout = _Layout(pairs, prompts, options, prefixes, known, row_of, anchor_row_of)
    pooled = {part for text_input in path.inputs for part in text_input.parts}
    sources = {encoder.name: _held(encoder, encoder.pooled in pooled) for encoder in path.encoders}
    sources |= {i.source: _Held() for i in path.inputs if i.source not in sources}
    return Plan(
        rows=tuple(rows),
        row_of=row_of,
        tokens={source: layout.tokens(source, held) for source, held in sources.items()},
        pairs=tuple(pairs),
        unseen=tuple(unseen),
        groups=prompts.groups(),
        prefixes=prefixes,
    )


Positions = Callable[[TokenRow], Iterable[int]]


@dataclass(frozen=True)
class _Held:
    """What of a row is held exactly, so that what is read of it cannot move; the defaults are a pooled vector's."""

    padding: bool = False
    """Whether padding is read at all."""
    name: Positions = name_positions
    """Of a preserved name."""
    empty: Positions = all_positions
    """Of the empty prompt."""


def _held(encoder: Encoder, pooled: bool) -> _Held:
    """A preserved name is held itself, and no more: what follows it is nearly what follows a target (0005).

    But its pooled vector is its end token, and where every token feels all others it stays only as a whole row.
    """
    whole = partial(all_positions, padding=encoder.padding)
    few = lambda row: [*range(row.start), *measured_positions(row, padding=encoder.padding)]  # noqa: E731
    name = whole if not encoder.causal else content_positions if pooled else name_positions
    return _Held(encoder.padding, name, few if encoder.sampled else whole)


@dataclass(frozen=True)
class _Layout:
    """The prompts of a solve in their rows, ready to be read as any encoder counts their tokens."""

    pairs: Sequence[PromptPair]
    prompts: _Prompts
    options: Options
    prefixes: Prefixes
    known: Mapping[str, Rows]
    """By prompt, of those that feel the updates."""
    row_of: Mapping[str, int]
    anchor_row_of: Mapping[str, int]

    def tokens(self, source: str, held: _Held) -> Tokens:
        """The tokens of one encoder or pooled vector by the part they play."""
        target: Places = []
        anchor: Places = []
        concept: list[int] = []
        for pair in self.pairs:
            t, a = self.row_of[pair.target_prompt], self.anchor_row_of[pair.anchor_prompt]
            columns = _constrained(aligned(pair, self.known, self.prefixes, source, padding=held.padding), self.options)
            target += [(t, i) for i, _ in columns]
            anchor += [(a, j) for _, j in columns]
            concept += [pair.concept] * len(columns)

        def places(prompts: Iterable[str], positions: Positions) -> Places:
            return [(self.row_of[p], i) for p in prompts for i in positions(self.known[p][source])]

        exact, weighted = _preserved(self.prompts, self.options, places, held)
        return Tokens(
            target=_columns(target),
            anchor=_columns(anchor),
            concept=torch.tensor(concept),
            exact=_columns(exact),
            weighted=_columns(weighted),
            neutral=_columns(places(self.prompts.fit, partial(measured_positions, padding=held.padding))),
        )


class _Prompts:
    """Every prompt of a solve, by the part it plays. None of those that shall stay mentions a target."""

    def __init__(self, request: Request, pairs: list[PromptPair], unseen: list[PromptPair], sentences: int):
        known = [request.innocent(concept.kind.templates) for concept in request.concepts]
        few = _unique(template for templates in known for template in templates[:sentences])
        many = _unique(template for templates in known for template in templates)
        related = _unique(phrase for concept in request.concepts for phrase in related_phrases(concept))
        self.targets = [pair.target_prompt for pair in (*pairs, *unseen)]
        self.anchors = _unique(pair.anchor_prompt for pair in pairs)
        self.unseen_anchors = _unique(pair.anchor_prompt for pair in unseen)
        self.preserves = in_sentences(request.preserves, few)
        self.names = list(request.preserves)
        # A word of a compound must survive beside other words too: a yellow circle, when a red one is erased.
        self.related = request.innocent(in_sentences(related, many))
        self.fit = request.innocent((*FIT_PROMPTS, *request.everyday))
        self.probes = request.innocent(PROBE_PROMPTS)

    @property
    def stays(self) -> list[str]:
        return [*self.unseen_anchors, *self.preserves, *self.related]

    @property
    def neutral(self) -> list[str]:
        return [*self.fit, *self.probes]

    def groups(self) -> dict[str, tuple[str, ...]]:
        named = {"preserves": self.preserves, "related": self.related, "anchors": self.unseen_anchors}
        return {name: tuple(group) for name, group in {**named, "neutral": self.probes}.items() if group}


def _preserved(
    prompts: _Prompts, options: Options, places: Callable[[Iterable[str], Positions], Places], held: _Held
) -> tuple[Places, Places]:
    """Tokens to hold exactly, and tokens to move as little as possible; what cannot be exact counts in the second."""
    if options.method != "ErasePro":
        ends = 0 if options.method == "UCE" else 1
        return places(prompts.preserves, lambda row: range(max(row.end - 1, 0), row.end + ends)), []
    always = places([""], held.empty)
    named = places(prompts.preserves, content_positions) if options.preserve != "off" else []
    near = places([*prompts.anchors, *prompts.related], content_positions)
    names = places(prompts.names, held.name) if options.preserve == "exact" else []
    return always + names, always + named + near


def _constrained(tokens: Alignment, options: Options) -> Sequence[tuple[int, int]]:
    """The pairs of positions that become columns; UCE as published takes one token, its variant the end token too."""
    if options.method == "ErasePro":
        return tokens.columns
    last = (tokens.concept or tokens.suffix)[-1]
    ends = tokens.suffix[-1:] if options.method != "UCE" else ()
    return [*dict.fromkeys((last, *ends))]


def _refuse_same_tokens(pairs: Sequence[PromptPair], rows: Mapping[str, Rows]) -> None:
    """Raises ConceptError for two spellings of one thing, which only the tokenizers can tell."""
    owner: dict[tuple, PromptPair] = {}

    def ids(prompt: str) -> tuple:
        return tuple(row.ids for row in rows[prompt].values())

    for pair in pairs:
        target, anchor = ids(pair.target_prompt), ids(pair.anchor_prompt)
        if target == anchor:
            raise ConceptError(
                f"the tokenizer of this model reads {pair.target!r} and {pair.anchor!r} as the same tokens, so nothing "
                "would change. Name another anchor."
            )
        other = owner.setdefault(target, pair)
        if other.concept != pair.concept and ids(other.anchor_prompt) != anchor:
            raise ConceptError(
                f"the tokenizer of this model reads {other.target!r} and {pair.target!r} of two concepts as the same "
                f"tokens, but they are asked to become {other.anchor!r} and {pair.anchor!r}. Keep one of the two."
            )


def _unique(prompts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(prompts))


def _columns(places: Places) -> Columns:
    where = torch.tensor(places, dtype=torch.long).reshape(-1, 2)
    return where[:, 0], where[:, 1]


def take(features: Tensor, columns: Columns) -> Tensor:
    """The features of some tokens as columns, `[d, n]`."""
    rows, positions = (index.to(features.device) for index in columns)
    return features[rows, positions].T
