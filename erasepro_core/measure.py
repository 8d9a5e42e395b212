"""Leak and drift: how much of a concept is left and how much else moved, as the diffusion model reads it.

No image is sampled. Both are ratios of what the text-conditioned linears say, before and after.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .align import Alignment, align, measured_positions, words_before
from .concept import PromptPair
from .families import Encoder, TextInput
from .path import Features, Rows, TextPath
from .solve import wide


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
        return aligned(pair, self.rows, prefixes, text_input.source, padding=self.padding(text_input))

    def padding(self, text_input: TextInput) -> bool:
        """Whether the padding of its tokens is read; a pooled vector has none."""
        return any(encoder.name == text_input.source and encoder.padding for encoder in self.encoders)


def read(path: TextPath, prompts: Iterable[str], emphasis: bool = False) -> Encoded:
    """Encodes prompts in a live model."""
    prompts = list(dict.fromkeys(prompts))
    rows = path.tokenize(prompts, emphasis)
    return encoded(path, dict(zip(prompts, rows, strict=True)), path.encode(rows))


def encoded(path: TextPath, rows: Mapping[str, Rows], features: Features) -> Encoded:
    """A batch by prompt: rows that stand in the order of the features' first dimension."""
    by_prompt = {prompt: {name: f[i] for name, f in features.items()} for i, prompt in enumerate(rows)}
    return Encoded(rows, by_prompt, path.inputs, path.encoders)


WeightPair = tuple[Tensor, Tensor]
"""One text-conditioned weight, original and edited, `[d_out, d]` each; the same object where they are equal."""
Weights = Mapping[str, Mapping[str, WeightPair]]
"""Text-conditioned weights by the input that they read, then by name."""


def weight_pairs(original: TextPath, edited: TextPath) -> Weights:
    """Every text-conditioned weight of two models."""
    pairs: dict[str, dict[str, WeightPair]] = {}
    for text_input in original.inputs:
        both = zip(original.conditioned(text_input), edited.conditioned(text_input), strict=True)
        pairs[text_input.name] = {
            name: (weight, weight if torch.equal(weight, changed) else changed) for (name, weight), (_, changed) in both
        }
    return pairs


Prefixes = Mapping[str, Rows]
"""What stands before a concept, by its text."""


def matched(path: TextPath, pairs: Sequence[PromptPair], emphasis: bool = False) -> tuple[list[PromptPair], Prefixes]:
    """The pairs with both sentences brought to one position, and what stands before their concepts.

    `Vincent van Gogh` is longer than `art`: without the shift all that follows would differ by its position too, which
    is no part of the concept and dear to change. An encoder that knows distances only needs none.
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


def aligned(pair: PromptPair, rows: Mapping[str, Rows], prefixes: Prefixes, source: str, *, padding: bool) -> Alignment:
    """The alignment of a matched pair in the tokens of one encoder, or in a pooled vector."""
    target, anchor = rows[pair.target_prompt][source], rows[pair.anchor_prompt][source]
    before = (
        words_before(target, prefixes[pair.target_prefix][source]),
        words_before(anchor, prefixes[pair.anchor_prefix][source]),
    )
    return align(target, anchor, before, padding=padding)


def leak(
    pairs: Sequence[PromptPair], original: Encoded, edited: Encoded, weights: Weights, prefixes: Prefixes
) -> Tensor:
    """`|out(target) - out(anchor)| / |out_o(target) - out_o(anchor)|` for each pair: 1 nothing erased, 0 gone.

    Anchors are those of the original model. Outputs are compared at aligned tokens, a few padding tokens among them. Of
    several ways into the diffusion model the one that lets most through counts: what is gone from the tokens may be
    there in a pooled vector.

    Args:
        pairs: n prompt pairs, as `matched` gives them.
        original, edited: features of their prompts, and of the anchors in `original`.
        weights: every text-conditioned weight before and after.
        prefixes: what `matched` says of them.

    Returns:
        `[n]`, no unit; 0 where the two prompts never differed.
    """
    left = []
    for text_input in original.inputs:
        tokens = [original.aligned(pair, prefixes, text_input) for pair in pairs]
        targets = [(p.target_prompt, [t for t, _ in each.columns]) for p, each in zip(pairs, tokens, strict=True)]
        anchors = [(p.anchor_prompt, [a for _, a in each.columns]) for p, each in zip(pairs, tokens, strict=True)]
        before, after = original.at(text_input, targets), edited.at(text_input, targets)
        anchor = original.at(text_input, anchors)
        owner = [index for index, each in enumerate(tokens) for _ in each.columns]
        left.append(_ratio(after, anchor, before, anchor, owner, weights[text_input.name]))
    return torch.stack(left).amax(0)


def drift(prompts: Sequence[str], original: Encoded, edited: Encoded, weights: Weights) -> Tensor:
    """`|out(prompt) - out_o(prompt)| / |out_o(prompt)|` for each prompt that should not have changed, `[n]`.

    Of several ways into the diffusion model, the one that moved most.
    """
    moved = []
    for text_input in original.inputs:
        source, padding = text_input.source, original.padding(text_input)
        places = [(p, measured_positions(original.rows[p][source], padding=padding)) for p in prompts]
        before, after = original.at(text_input, places), edited.at(text_input, places)
        owner = [index for index, (_, positions) in enumerate(places) for _ in positions]
        moved.append(_ratio(after, before, before, torch.zeros_like(before), owner, weights[text_input.name]))
    return torch.stack(moved).amax(0)


def one_for_all(weights: Iterable[Tensor]) -> Tensor:
    """One square weight whose outputs are as long as those of all the given weights together, `[d, d]`."""
    rest = iter(weights)
    first = next(rest)
    moment = functools.reduce(torch.add, map(_moment, rest), _moment(first))
    values, vectors = torch.linalg.eigh(moment)
    return (values.clamp_min(0).sqrt()[:, None] * vectors.T).to(first)


def _moment(weight: Tensor) -> Tensor:
    weight = wide(weight)
    return weight.T @ weight


def _ratio(
    edited: Tensor,
    wanted: Tensor,
    before: Tensor,
    reference: Tensor,
    owner: list[int],
    weights: Mapping[str, WeightPair],
) -> Tensor:
    """`|W edited - W_o wanted| / |W_o before - W_o reference|`, over all weights and the rows of each owner."""
    count, index = owner[-1] + 1, torch.tensor(owner, device=edited.device)
    above, below = edited.new_zeros(count), edited.new_zeros(count)
    for original, changed in weights.values():
        moved = (edited - wanted) @ original.T
        if changed is not original:
            moved += edited @ (changed - original).T
        above.index_add_(0, index, moved.square().sum(-1))
        below.index_add_(0, index, ((before - reference) @ original.T).square().sum(-1))
    return torch.where(below > 0, above / below.clamp_min(torch.finfo(below.dtype).tiny), 0).sqrt()
