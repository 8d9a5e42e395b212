"""Leak and drift: how much of a concept is left and how much else moved, as the diffusion model reads it.

No image is sampled. Both are ratios of outputs of the text-conditioned linears, before and after.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from .align import measured_positions
from .concept import PromptPair
from .encoded import Encoded, Prefixes
from .path import TextPath
from .stays import moment

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


def leak(
    pairs: Sequence[PromptPair], original: Encoded, edited: Encoded, weights: Weights, prefixes: Prefixes
) -> Tensor:
    """`|out(target) - out(anchor)| / |out_o(target) - out_o(anchor)|` for each pair: 1 nothing erased, 0 gone.

    Anchors are those of the original model. Outputs are compared at aligned tokens, a few padding tokens among them. Of
    several inputs of the diffusion model the one with the largest leak counts: what is gone from the tokens may still
    be in a pooled vector.

    Args:
        pairs: n prompt pairs, as `matched` gives them.
        original, edited: features of their prompts, and of the anchors in `original`.
        weights: every text-conditioned weight before and after.
        prefixes: as `matched` gives them.

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

    Of several inputs of the diffusion model, the one that moved most counts.
    """
    moved = []
    for text_input in original.inputs:
        source, padding = text_input.source, original.padding(text_input)
        places = [(p, measured_positions(original.rows[p][source], padding=padding)) for p in prompts]
        before, after = original.at(text_input, places), edited.at(text_input, places)
        owner = [index for index, (_, positions) in enumerate(places) for _ in positions]
        moved.append(_ratio(after, before, before, torch.zeros_like(before), owner, weights[text_input.name]))
    return torch.stack(moved).amax(0)


def stand_in_weight(weights: Iterable[Tensor]) -> Tensor:
    """One square weight whose outputs are as long as those of all the given weights together, `[d, d]`."""
    rest = iter(weights)
    first = next(rest)
    found = functools.reduce(torch.add, (moment(weight.T) for weight in rest), moment(first.T))
    values, vectors = torch.linalg.eigh(found)
    return (values.clamp_min(0).sqrt()[:, None] * vectors.T).to(first)


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
