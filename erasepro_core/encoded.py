"""Prompts and prompt pairs in a live model: their token rows, their features, and their aligned tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .align import Alignment, align, words_before
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
    features: Mapping[str, Features]
    """By prompt, then by input of the diffusion model: `[tokens, d]`."""
    inputs: Sequence[TextInput]
    encoders: Sequence[Encoder]

    def at(self, text_input: TextInput, places: Iterable[tuple[str, Sequence[int]]]) -> Tensor:
        """Features of some tokens of some prompts as an input has them, one after the other, `[tokens, d]`."""
        return torch.cat([self.features[prompt][text_input.name][list(positions)] for prompt, positions in places])

    def aligned(self, pair: PromptPair, prefixes: Prefixes, text_input: TextInput) -> Alignment:
        """The alignment of a matched pair in the tokens that an input reads."""
        source = text_input.source
        causal = all(encoder.causal for encoder in self.encoders if encoder.name == source)
        return aligned(pair, self.rows, prefixes, source, padding=self.padding(text_input), causal=causal)

    def padding(self, text_input: TextInput) -> bool:
        """Whether the padding of its tokens is read; a pooled vector has none."""
        return any(encoder.name == text_input.source and encoder.padding for encoder in self.encoders)


def encode_prompts(path: TextPath, prompts: Iterable[str], emphasis: bool = False) -> Encoded:
    """Encodes prompts in a live model."""
    prompts = list(dict.fromkeys(prompts))
    rows = path.tokenize(prompts, emphasis)
    return by_prompt(path, dict(zip(prompts, rows, strict=True)), path.encode(rows))


def by_prompt(path: TextPath, rows: Mapping[str, Rows], features: Features) -> Encoded:
    """A batch by prompt: rows that stand in the order of the features' first dimension."""
    found = {prompt: {name: f[i] for name, f in features.items()} for i, prompt in enumerate(rows)}
    return Encoded(rows, found, path.inputs, path.encoders)


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
