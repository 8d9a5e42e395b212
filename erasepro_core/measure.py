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

from .align import Alignment, TokenRow, align, measured_positions
from .concept import PromptPair
from .path import TextPath


@dataclass(frozen=True)
class Encoded:
    """What a text encoder made of some prompts."""

    rows: Mapping[str, TokenRow]
    """Token ids by prompt."""
    features: Mapping[str, Tensor]
    """`[tokens, d]` by prompt, as the diffusion model gets them."""

    def at(self, prompt: str, positions: Sequence[int]) -> Tensor:
        """Features of some tokens of a prompt, `[positions, d]`."""
        return self.features[prompt][list(positions)]


def read(path: TextPath, prompts: Iterable[str], emphasis: bool = False) -> Encoded:
    """Encodes prompts in a live model."""
    prompts = list(dict.fromkeys(prompts))
    rows = path.tokenize(prompts, emphasis)
    return Encoded(dict(zip(prompts, rows, strict=True)), dict(zip(prompts, path.encode(rows), strict=True)))


WeightPair = tuple[Tensor, Tensor]
"""One text-conditioned weight, original and edited, `[d_out, d]` each."""


def weight_pairs(original: TextPath, edited: TextPath) -> dict[str, WeightPair]:
    """Every text-conditioned weight of two models, by name; one tensor twice where they are equal."""
    both = zip(original.conditioned(), edited.conditioned(), strict=True)
    return {name: (w, w if torch.equal(w, changed) else changed) for (name, w), (_, changed) in both}


Prefixes = Mapping[str, int]
"""Number of word tokens of what stands before a concept."""


def matched(path: TextPath, pairs: Sequence[PromptPair], emphasis: bool = False) -> tuple[list[PromptPair], Prefixes]:
    """The pairs with both sentences brought to one position, and the lengths of what stands before their concepts.

    `Vincent van Gogh` is longer than `art`: without the shift all that follows would differ by its position too, which
    is no part of the concept and dear to change.
    """
    targets = path.tokenize([pair.target_prompt for pair in pairs], emphasis)
    anchors = path.tokenize([pair.anchor_prompt for pair in pairs], emphasis)
    shifted = [replace(p, shift=t.end - a.end) for p, t, a in zip(pairs, targets, anchors, strict=True)]
    prefixes = list(dict.fromkeys(text for pair in shifted for text in (pair.target_prefix, pair.anchor_prefix)))
    whole = [_closed(prefix) for prefix in prefixes] if emphasis else prefixes
    lengths = [row.end - row.start for row in path.tokenize(whole, emphasis)]
    return shifted, dict(zip(prefixes, lengths, strict=True))


def _closed(prefix: str) -> str:
    """The prefix with its open brackets closed: left open they would be read as words, not as emphasis."""
    return prefix + ")" * (len(re.findall(r"(?<!\\)\(", prefix)) - len(re.findall(r"(?<!\\)\)", prefix)))


def aligned(pair: PromptPair, rows: Mapping[str, TokenRow], prefixes: Prefixes) -> Alignment:
    """The alignment of a matched pair."""
    before = prefixes[pair.target_prefix], prefixes[pair.anchor_prefix]
    return align(rows[pair.target_prompt], rows[pair.anchor_prompt], before)


def leak(
    pairs: Sequence[PromptPair],
    original: Encoded,
    edited: Encoded,
    weights: Sequence[WeightPair],
    prefixes: Prefixes,
) -> Tensor:
    """`|out(target) - out(anchor)| / |out_o(target) - out_o(anchor)|` for each pair: 1 nothing erased, 0 gone.

    Anchors are those of the original model. Outputs are compared at aligned tokens, a few padding tokens among them.

    Args:
        pairs: n prompt pairs, as `matched` gives them.
        original, edited: features of their prompts, and of the anchors in `original`.
        weights: every text-conditioned weight before and after.
        prefixes: what `matched` says of them.

    Returns:
        `[n]`, no unit; 0 where the two prompts never differed.
    """
    before, after, anchor, owner = [], [], [], []
    for index, pair in enumerate(pairs):
        tokens = aligned(pair, original.rows, prefixes)
        t, a = zip(*tokens.columns, strict=True)
        before.append(original.at(pair.target_prompt, t))
        after.append(edited.at(pair.target_prompt, t))
        anchor.append(original.at(pair.anchor_prompt, a))
        owner += [index] * len(t)
    return _ratio(torch.cat(after), torch.cat(anchor), torch.cat(before), torch.cat(anchor), owner, weights)


def drift(prompts: Sequence[str], original: Encoded, edited: Encoded, weights: Sequence[WeightPair]) -> Tensor:
    """`|out(prompt) - out_o(prompt)| / |out_o(prompt)|` for each prompt that should not have changed, `[n]`."""
    before, after, owner = [], [], []
    for index, prompt in enumerate(prompts):
        positions = measured_positions(original.rows[prompt])
        before.append(original.at(prompt, positions))
        after.append(edited.at(prompt, positions))
        owner += [index] * len(positions)
    size = torch.cat(before)
    return _ratio(torch.cat(after), size, size, torch.zeros_like(size), owner, weights)


def one_for_all(weights: Iterable[Tensor]) -> Tensor:
    """One square weight whose outputs are as long as those of all the given weights together, `[d, d]`."""
    moment = functools.reduce(torch.add, (weight.double().T @ weight.double() for weight in weights))
    values, vectors = torch.linalg.eigh(moment)
    return (values.clamp_min(0).sqrt()[:, None] * vectors.T).float()


def _ratio(
    edited: Tensor, wanted: Tensor, before: Tensor, reference: Tensor, owner: list[int], weights: Sequence[WeightPair]
) -> Tensor:
    """`|W edited - W_o wanted| / |W_o before - W_o reference|`, over all weights and the rows of each owner."""
    count, index = owner[-1] + 1, torch.tensor(owner, device=edited.device)
    above, below = edited.new_zeros(count), edited.new_zeros(count)
    for original, changed in weights:
        moved = (edited - wanted) @ original.T
        if changed is not original:
            moved += edited @ (changed - original).T
        above.index_add_(0, index, moved.square().sum(-1))
        below.index_add_(0, index, ((before - reference) @ original.T).square().sum(-1))
    return torch.where(below > 0, above / below.clamp_min(torch.finfo(below.dtype).tiny), 0).sqrt()
