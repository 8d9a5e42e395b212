"""Prompts and prompt pairs in a live model: their token rows, their features, and their aligned tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .align import PADDING_OFFSETS, Alignment, TokenRow, align, words_before
from .concept import PromptPair
from .families import Encoder, TextInput
from .path import Features, Rows, TextPath

Prefixes = Mapping[str, Rows]
"""What stands before a concept, by its text."""


@dataclass(frozen=True)
class Encoded:
    """What the text encoders made of some prompts."""

    rows: Mapping[str, Rows]
    """Token ids by prompt."""
    features: Mapping[str, Mapping[str, Tensor]]
    """By prompt, then by input of the diffusion model: `[tokens, d]`."""
    inputs: Sequence[TextInput]
    encoders: Sequence[Encoder]

    def at(self, text_input: TextInput, places: Iterable[tuple[str, Sequence[int]]]) -> Tensor:
        """Features of some tokens of some prompts as an input has them, one after the other, `[tokens, d]`."""
        return torch.cat([self.features[prompt][text_input.name][list(positions)] for prompt, positions in places])

    def changed(self, updates: Mapping[str, Callable[[Tensor], Tensor]]) -> Encoded:
        """The same with what updates add to the features of some inputs."""

        def one(name: str, features: Tensor) -> Tensor:
            return features + updates[name](features) if name in updates else features

        found = {p: {name: one(name, each) for name, each in inputs.items()} for p, inputs in self.features.items()}
        return replace(self, features=found)

    def has(self, prompts: Iterable[str]) -> bool:
        """Whether all of some prompts are among these."""
        return all(prompt in self.features for prompt in prompts)

    def joined(self, other: Encoded) -> Encoded:
        """These and others of the same model."""
        return replace(self, rows={**self.rows, **other.rows}, features={**self.features, **other.features})

    def only(self, prompts: Iterable[str]) -> Encoded:
        """The same of some of the prompts."""
        kept = dict.fromkeys(prompts)
        return replace(self, rows={p: self.rows[p] for p in kept}, features={p: self.features[p] for p in kept})

    def together(self, prompts: Sequence[str]) -> Features:
        """Features of some prompts as one batch, `[prompts, tokens, d]` by input; zeros behind shorter ones."""
        return {
            i.name: nn.utils.rnn.pad_sequence([self.features[prompt][i.name] for prompt in prompts], batch_first=True)
            for i in self.inputs
        }

    def aligned(self, pair: PromptPair, prefixes: Prefixes, text_input: TextInput) -> Alignment:
        """The alignment of a matched pair in the tokens that an input reads."""
        source = text_input.source
        causal = all(encoder.causal for encoder in self.encoders if encoder.name == source)
        return aligned(pair, self.rows, prefixes, source, padding=self.padding(text_input), causal=causal)

    def padding(self, text_input: TextInput) -> bool:
        """Whether the padding of its tokens is read; a pooled vector has none."""
        return any(encoder.name == text_input.source and encoder.padding for encoder in self.encoders)


PART = 2048
"""Tokens that are encoded at a time, so that the memory for it does not grow with the number of prompts."""
SPARE = 128
"""Tokens that nobody reads, encoded because rows of one part have one length: more would cost as much as another pass,
which reads every weight of the encoder."""


def encode_prompts(
    path: TextPath,
    prompts: Iterable[str],
    emphasis: bool = False,
    padding: int | None = PADDING_OFFSETS[-1],
    tick: Callable[[], None] = lambda: None,
    known: Encoded | None = None,
) -> Encoded:
    """Encodes prompts in a live model, those of equal tokens once.

    Args:
        path: the model.
        prompts: each is encoded once.
        emphasis: see `TextPath.tokenize`.
        padding: how many padding tokens behind each end are read; None for all, by default as many as are measured.
        tick: called after every part; what it raises ends the work.
        known: what was encoded before in the same model, with as much padding: rows among it are not encoded again.
    """
    wanted = list(dict.fromkeys(prompts))
    rows = dict(zip(wanted, path.tokenize(wanted, emphasis), strict=True))
    found = {} if known is None else {_row(known.rows[prompt]): each for prompt, each in known.features.items()}
    once = list({key: each for each in rows.values() if (key := _row(each)) not in found}.values())
    for part in in_parts(once, [padding] * len(once)):
        features = path.encode([once[row] for row in part], [padding] * len(part))
        for i, row in enumerate(part):
            found[_row(once[row])] = {name: each[i] for name, each in features.items()}
        tick()
    return by_prompt(path, rows, {prompt: found[_row(each)] for prompt, each in rows.items()})


def _row(rows: Rows) -> tuple[TokenRow, ...]:
    """What two prompts share that the model reads as one."""
    return tuple(rows.values())


def by_prompt(path: TextPath, rows: Mapping[str, Rows], features: Mapping[str, Mapping[str, Tensor]]) -> Encoded:
    """Features and rows by prompt."""
    return Encoded(rows, features, path.inputs, path.encoders)


def in_parts(rows: Sequence[Rows], padding: Sequence[int | None]) -> list[list[int]]:
    """Which rows to encode together: those of like length, at most `PART` tokens and `SPARE` of them for nothing.

    Args:
        rows: all rows.
        padding: how many padding tokens are read of each; None for all.
    """

    def length(index: int) -> int:
        return max(row.read(padding[index]) for row in rows[index].values())

    parts: list[list[int]] = []
    used = 0
    for index in sorted(range(len(rows)), key=length):
        tokens = (len(parts[-1]) + 1) * length(index) if parts else 0
        if not parts or tokens > PART or tokens - used - length(index) > SPARE:
            parts.append([])
            used = 0
        parts[-1].append(index)
        used += length(index)
    return parts


def matched(path: TextPath, pairs: Sequence[PromptPair], emphasis: bool = False) -> tuple[list[PromptPair], Prefixes]:
    """The pairs with what follows the concept at the same positions in both, and what stands before their concepts.

    `Vincent van Gogh` is longer than `art`: without the shift all that follows would also differ by its position. That
    is no part of the concept, and costly to change. An encoder that knows only distances needs no shift.
    """
    absolute = next((encoder.name for encoder in path.encoders if encoder.absolute), None)
    if absolute is not None:
        targets, anchors = (
            [rows[absolute] for rows in path.tokenize([prompt(p) for p in pairs], emphasis)]
            for prompt in (lambda p: p.target_prompt, lambda p: p.anchor_prompt)
        )
        pairs = [replace(p, shift=t.end - a.end) for p, t, a in zip(pairs, targets, anchors, strict=True)]
    prefixes = list(dict.fromkeys(text for pair in pairs for text in (pair.target_prefix, pair.anchor_prefix)))
    whole = [_closed(prefix) for prefix in prefixes] if emphasis else prefixes
    return list(pairs), dict(zip(prefixes, path.tokenize(whole, emphasis), strict=True))


def _closed(prefix: str) -> str:
    """The prefix with its open brackets closed: left open they would be read as words, not as emphasis."""
    return prefix + ")" * (len(re.findall(r"(?<!\\)\(", prefix)) - len(re.findall(r"(?<!\\)\)", prefix)))


def aligned(
    pair: PromptPair, rows: Mapping[str, Rows], prefixes: Prefixes, source: str, *, padding: bool, causal: bool
) -> Alignment:
    """The alignment of a matched pair in the tokens of one encoder, or in a pooled vector."""
    target, anchor = rows[pair.target_prompt][source], rows[pair.anchor_prompt][source]
    before = (
        words_before(target, prefixes[pair.target_prefix][source]),
        words_before(anchor, prefixes[pair.anchor_prefix][source]),
    )
    return align(target, anchor, before, padding=padding, causal=causal)
