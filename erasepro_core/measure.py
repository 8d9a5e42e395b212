"""Leak and drift: how much of a concept is left and how much else moved, as the diffusion model reads it.

No image is sampled. Both are ratios of outputs of the text-conditioned linears, before and after.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

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
    pairs: dict[str, dict[str, WeightPair]] = {text_input.name: {} for text_input in original.inputs}
    for text_input, name, pair in read_weights(original, edited):
        pairs[text_input][name] = pair
    return pairs


def read_weights(original: TextPath, edited: TextPath) -> Iterator[tuple[str, str, WeightPair]]:
    """The same one by one, each with its input and its name: all of a large model's together are gigabytes."""
    for text_input in original.inputs:
        both = zip(original.conditioned(text_input), edited.conditioned(text_input), strict=True)
        for (name, weight), (_, changed) in both:
            yield text_input.name, name, (weight, weight if torch.equal(weight, changed) else changed)


@dataclass(frozen=True)
class Comparison:
    """Features of one input whose outputs are compared, `[n, d]` each: |W edited - W_o wanted| over |W_o whole|."""

    edited: Tensor
    apart: Tensor
    """The edited features minus the wanted ones."""
    whole: Tensor
    owner: Tensor
    """Which pair or prompt each row belongs to, `[n]`."""
    owners: int

    @classmethod
    def of(cls, edited: Tensor, wanted: Tensor, whole: Tensor, counts: Sequence[int]) -> Comparison:
        """The comparison whose owners have so many rows each."""
        owner = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts, dtype=torch.long))
        return cls(edited, edited - wanted, whole, owner.to(edited.device), len(counts))

    def squares(self, original: Tensor, changed: Tensor) -> Tensor:
        """Both sizes of each owner behind one weight, squared, `[2, owners]`."""
        moved = self.apart @ original.T
        if changed is not original:
            moved += self.edited @ (changed - original).T
        sizes = torch.stack([moved.square().sum(-1), (self.whole @ original.T).square().sum(-1)])
        return sizes.new_zeros(2, self.owners).index_add_(1, self.owner, sizes)


Comparisons = Mapping[str, Comparison]
"""By input of the diffusion model."""


def ratios(asked: Sequence[Comparisons], weights: Iterable[tuple[str, str, WeightPair]]) -> list[Tensor]:
    """Each of some comparisons over all weights, `[owners]`; -1 where the whole is nothing, so that it tells nothing.

    Of several inputs of the diffusion model, the one with the largest ratio counts. Each weight is taken once for all.
    """
    sums: list[dict[str, Tensor]] = [{} for _ in asked]
    for text_input, _, pair in weights:
        for comparisons, found in zip(asked, sums, strict=True):
            squares = comparisons[text_input].squares(*pair)
            found[text_input] = found[text_input] + squares if text_input in found else squares
    return [torch.stack([_ratio(*squares) for squares in found.values()]).amax(0) for found in sums]


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    return torch.where(below > 0, (above / below.clamp_min(torch.finfo(below.dtype).tiny)).sqrt(), -1.0)


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
    return ratios([targets_and_anchors(pairs, original, edited, prefixes)], one_by_one(weights))[0].clamp_min(0)


def drift(prompts: Sequence[str], original: Encoded, edited: Encoded, weights: Weights) -> Tensor:
    """`|out(prompt) - out_o(prompt)| / |out_o(prompt)|` for each prompt that should not have changed, `[n]`.

    Of several inputs of the diffusion model, the one that moved most counts.
    """
    return ratios([before_and_after(prompts, original, edited)], one_by_one(weights))[0].clamp_min(0)


def targets_and_anchors(
    pairs: Sequence[PromptPair], original: Encoded, edited: Encoded, prefixes: Prefixes
) -> Comparisons:
    """What leak compares, see there: each pair owns its aligned tokens."""
    found = {}
    for text_input in original.inputs:
        tokens = [original.aligned(pair, prefixes, text_input) for pair in pairs]
        targets = [(p.target_prompt, [t for t, _ in each.columns]) for p, each in zip(pairs, tokens, strict=True)]
        anchors = [(p.anchor_prompt, [a for _, a in each.columns]) for p, each in zip(pairs, tokens, strict=True)]
        before, after = original.at(text_input, targets), edited.at(text_input, targets)
        anchor = original.at(text_input, anchors)
        found[text_input.name] = Comparison.of(after, anchor, before - anchor, [len(each.columns) for each in tokens])
    return found


def before_and_after(prompts: Sequence[str], original: Encoded, edited: Encoded) -> Comparisons:
    """What drift compares, see there: each prompt owns a few of its tokens."""
    found = {}
    for text_input in original.inputs:
        source, padding = text_input.source, original.padding(text_input)
        places = [(p, measured_positions(original.rows[p][source], padding=padding)) for p in prompts]
        before, after = original.at(text_input, places), edited.at(text_input, places)
        found[text_input.name] = Comparison.of(after, before, before, [len(positions) for _, positions in places])
    return found


def one_by_one(weights: Weights) -> Iterator[tuple[str, str, WeightPair]]:
    """Each of the weights with its input and its name."""
    return ((text_input, name, pair) for text_input, pairs in weights.items() for name, pair in pairs.items())


def stand_in_weight(weights: Iterable[Tensor]) -> Tensor:
    """One square weight whose outputs are as long as those of all the given weights together, `[d, d]`."""
    rest = iter(weights)
    first = next(rest)
    found = functools.reduce(torch.add, (moment(weight.T) for weight in rest), moment(first.T)).double()
    values, vectors = torch.linalg.eigh(found)
    return (values.clamp_min(0).sqrt()[:, None] * vectors.T).to(first)
