"""Checks: where a sentence and its anchor stood before an erasure, and leak in a live model measured by them.

They need nothing of the model that the erasure was solved on: files carry them, and the guard goes by them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .align import Alignment
from .concept import PromptPair, Request, both_prompts
from .encoded import Encoded, encode_prompts, matched
from .path import TextPath
from .sketch import sketches

SENTENCES, SENTENCES_IN_ALL = 3, 1000
"""Sentences with a check for each name, and for all names together, of which each has one at least."""


@dataclass(frozen=True)
class Check:
    """Where a sentence and its anchor stood before anything was erased."""

    pair: PromptPair
    target: Tensor
    """`[columns, numbers]`: the sketch at a few aligned tokens of the target's sentence."""
    anchor: Tensor
    """The same for the anchor's."""

    @property
    def contrast(self) -> float:
        """How far the target stood from its anchor, as a share of the anchor's own size."""
        return contrast(self.target, self.anchor)


def make_checks(request: Request, path: TextPath, known: Encoded | None = None) -> tuple[Check, ...]:
    """Keeps where every name of a request stands, in a model from which nothing is erased yet.

    Args:
        request: what is erased.
        path: the model.
        known: what was encoded in it before.

    Raises:
        ValueError: a sentence does not fit into one chunk.
    """
    return checks_of(request.unseen_pairs(sentences_of(request)), path, known=known)


def sentences_of(request: Request) -> int:
    """How many sentences of each name are checked."""
    return max(1, min(SENTENCES, SENTENCES_IN_ALL // len(request.names)))


def checks_of(
    pairs: Sequence[PromptPair], path: TextPath, emphasis: bool = False, known: Encoded | None = None
) -> tuple[Check, ...]:
    """A check for each of some prompt pairs."""
    found = sketched(pairs, path, emphasis, known)
    return tuple(Check(pair, *both) for pair, both in zip(pairs, found, strict=True))


@torch.no_grad()
def sketched(
    pairs: Sequence[PromptPair], path: TextPath, emphasis: bool = False, known: Encoded | None = None
) -> list[tuple[Tensor, Tensor]]:
    """Sketches at a few aligned tokens of both sentences of each pair, in a live model."""
    if not pairs:
        return []
    shifted, prefixes = matched(path, pairs, emphasis)
    encoded = encode_prompts(path, both_prompts(shifted), emphasis, known=known)
    weights, both = sketches(path), []
    for pair in shifted:
        targets, anchors = [], []
        for text_input in path.inputs:
            t, a = zip(*_few(encoded.aligned(pair, prefixes, text_input)), strict=True)
            weight = weights[text_input.name]
            targets.append(encoded.at(text_input, [(pair.target_prompt, t)]).to(weight) @ weight.T)
            anchors.append(encoded.at(text_input, [(pair.anchor_prompt, a)]).to(weight) @ weight.T)
        both.append((torch.cat(targets).cpu(), torch.cat(anchors).cpu()))
    return both


def _few(tokens: Alignment) -> list[tuple[int, int]]:
    """The concept's last token, the end token and the first padding token, as far as there are any."""
    return [*tokens.concept[-1:], *tokens.suffix[-1:], *tokens.padding[:1]]


def leak_against(check: Check, target: Tensor, anchor: Tensor) -> float:
    """The larger of two: the target's distance from its anchor, and how far it is on the way back to where it was.

    The first is a ratio of shares, so a model of another scale, or a LoRA that moves both, does not change it. The
    second detects an anchor that has itself become the target. An anchor that has moved away, as a later erasure moves
    it, is taken from where it stood before.

    Args:
        check: where the two stood before.
        target, anchor: the same sketches of a live model.

    Raises:
        ValueError: the live model has other text-conditioned linears than the one of the check.
    """
    if target.shape != check.target.shape:
        raise ValueError(
            f"the erasure's checks have {list(check.target.shape)} numbers, this model gives {list(target.shape)}: it "
            "was solved on a model of another size. Solve again on this model."
        )
    if not check.contrast > 0:
        raise ValueError(
            f"{check.pair.target_prompt!r} and {check.pair.anchor_prompt!r} meant the same to the model before anything"
            " was erased, so nothing can tell whether it is gone. Name another anchor, or a name that the model knows."
        )
    way = (check.target - check.anchor).flatten()
    back = float((target - check.anchor).flatten() @ way / way.square().sum())
    apart = contrast(target, anchor) / check.contrast
    if has_moved_away(check, target, anchor):
        apart = min(apart, contrast(target, check.anchor) / check.contrast)
    return finite(max(apart, back) if apart == apart else apart)


def has_moved_away(check: Check, target: Tensor, anchor: Tensor) -> bool:
    """Whether the target of a live model is nearer to where its anchor stood before than the anchor itself is."""
    return bool((target - check.anchor).norm() < (anchor - check.anchor).norm())


def finite(leak: float) -> float:
    """The leak; what is not a finite number, as in a model without outputs, counts as nothing erased."""
    return leak if math.isfinite(leak) else 1.0


def contrast(target: Tensor, anchor: Tensor) -> float:
    """How far a target is from its anchor, as a share of the anchor's size."""
    return float((target - anchor).norm() / anchor.norm())
