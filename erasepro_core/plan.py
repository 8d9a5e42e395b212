"""The batch of one solve: every prompt in it, and which of its tokens play which part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from .align import measured_positions
from .capture import CapturedLayer, Columns, take
from .concept import ConceptError, PromptPair, Request
from .encoded import Encoded, Prefixes, aligned, by_prompt, matched
from .families import TextInput
from .methods import Places, Positions, TokenSource
from .neighbours import Neighbour
from .options import Options
from .path import Features, Rows, TextPath
from .prompts import Prompts, unique
from .schedule import ScheduledLayer


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
    """Row by prompt, in the leading part of the batch, which receives the updates."""
    tokens: Mapping[str, Tokens]
    """By encoder, and by pooled vector."""
    pairs: tuple[PromptPair, ...]
    unseen: tuple[PromptPair, ...]
    groups: Mapping[str, Mapping[str, str]]
    """Prompts whose drift is measured, by name of the group; each with what it is about."""
    prefixes: Prefixes

    @property
    def edited_rows(self) -> int:
        """Number of leading rows that receive the updates."""
        return len(self.row_of)

    def encoded(self, path: TextPath, features: Features) -> Encoded:
        """The batch's features by prompt, of the rows that receive the updates."""
        return by_prompt(path, {p: self.rows[r] for p, r in self.row_of.items()}, features)

    def take(self, features: Features, inputs: Sequence[TextInput], part: str) -> Tensor:
        """The features of all tokens that play a part in some inputs, as columns, `[d, n]`."""
        found = [take(features[i.name], getattr(self.tokens[i.source], part)) for i in inputs]
        return found[0] if len(found) == 1 else torch.cat(found, dim=1)

    def concept(self, inputs: Sequence[TextInput]) -> Tensor:
        """Which concept each target column of some inputs belongs to, `[n]`."""
        return torch.cat([self.tokens[i.source].concept for i in inputs])

    def captured(self, path: TextPath, layers: Iterable[ScheduledLayer]) -> list[CapturedLayer]:
        """Layers of the text encoders, to be captured at the aligned tokens of this batch."""
        return [
            CapturedLayer(
                layer.name,
                path.module(layer.name),
                path.module(layer.stream) if layer.stream is not None else None,
                self.tokens[layer.encoder].target,
                self.tokens[layer.encoder].anchor,
            )
            for layer in layers
        ]


def make_plan(request: Request, options: Options, path: TextPath, neighbours: Sequence[Neighbour]) -> Plan:
    """Lays out every prompt of a solve as one batch.

    Raises:
        ConceptError: two names that must differ are the same tokens to this model.
        ValueError: a prompt does not fit into one chunk.
    """
    method = options.method
    pairs = request.pairs(method.sentences(options.templates), path.family.long_prompts)
    both, prefixes = matched(path, [*pairs, *request.unseen_pairs()])
    pairs, unseen = both[: len(pairs)], both[len(pairs) :]
    prompts = Prompts(request, pairs, unseen, neighbours, method.preserve_sentences, path.family.long_prompts)
    edited, anchors = prompts.edited(), unique(pair.anchor_prompt for pair in pairs)
    rows = path.tokenize([*edited, *anchors])
    row_of = {prompt: index for index, prompt in enumerate(edited)}
    anchor_row_of = {prompt: len(edited) + index for index, prompt in enumerate(anchors)}
    known = {prompt: rows[row] for prompt, row in row_of.items()}
    _refuse_same_tokens(pairs, known)
    layout = _Layout(pairs, prompts, options, prefixes, known, row_of, anchor_row_of)
    return Plan(
        rows=tuple(rows),
        row_of=row_of,
        tokens={name: layout.tokens(name, source) for name, source in _sources(path).items()},
        pairs=tuple(pairs),
        unseen=tuple(unseen),
        groups=prompts.groups(),
        prefixes=prefixes,
    )


def _sources(path: TextPath) -> dict[str, TokenSource]:
    """Every encoder, and every pooled vector that an input takes its tokens from."""
    parts = {part for text_input in path.inputs for part in text_input.parts}
    sources = {encoder.name: TokenSource.of(encoder, encoder.pooled in parts) for encoder in path.encoders}
    return sources | {i.source: TokenSource() for i in path.inputs if i.source not in sources}


@dataclass(frozen=True)
class _Layout:
    """The prompts of a solve in their rows, ready to be read as any encoder counts their tokens."""

    pairs: Sequence[PromptPair]
    prompts: Prompts
    options: Options
    prefixes: Prefixes
    known: Mapping[str, Rows]
    """By prompt, of those that receive the updates."""
    row_of: Mapping[str, int]
    anchor_row_of: Mapping[str, int]

    def tokens(self, name: str, source: TokenSource) -> Tokens:
        """The tokens of one encoder or pooled vector by the part they play."""
        method = self.options.method
        target: Places = []
        anchor: Places = []
        concept: list[int] = []
        for pair in self.pairs:
            t, a = self.row_of[pair.target_prompt], self.anchor_row_of[pair.anchor_prompt]
            reads = {"padding": source.padding, "causal": source.causal}
            columns = method.columns(aligned(pair, self.known, self.prefixes, name, **reads))
            target += [(t, i) for i, _ in columns]
            anchor += [(a, j) for _, j in columns]
            concept += [pair.concept] * len(columns)

        def places(prompts: Iterable[str], positions: Positions) -> Places:
            return [(self.row_of[p], i) for p in prompts for i in positions(self.known[p][name])]

        exact, weighted = method.preserved(self.prompts, self.options.preserve, source, places)
        return Tokens(
            target=_columns(target),
            anchor=_columns(anchor),
            concept=torch.tensor(concept),
            exact=_columns(exact),
            weighted=_columns(weighted),
            neutral=_columns(places(self.prompts.fit, partial(measured_positions, padding=source.padding))),
        )


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


def _columns(places: Places) -> Columns:
    where = torch.tensor(places, dtype=torch.long).reshape(-1, 2)
    return where[:, 0], where[:, 1]
