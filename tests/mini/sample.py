"""Prompts -> pictures with the host's own sampler, and how many of them show what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import comfy.sample
import torch
from torch import Tensor

from . import classifier, world

CHUNK = 77


def encode(clip, prompts: Sequence[str]) -> Tensor:
    """Conditioning `[N, 77, width]`, all prompts in one pass: the host treats them as the chunks of one prompt.

    Raises:
        ValueError: a prompt does not fit one chunk of 75 tokens.
    """
    tokens = [clip.tokenize(prompt) for prompt in prompts]
    for prompt, token in zip(prompts, tokens, strict=True):
        if any(len(chunks) != 1 for chunks in token.values()):
            raise ValueError(f"Prompt {prompt[:40]!r}... is longer than one chunk of 75 tokens. Shorten it.")
    joined = {key: [token[key][0] for token in tokens] for key in tokens[0]}
    return clip.encode_from_tokens(joined).unflatten(1, (len(prompts), CHUNK))[0]


def noise(count: int, seed: int, size: int = world.SIZE) -> Tensor:
    """`[N, 3, size, size]`: picture i starts from the generator seeded with ``seed + i``, whatever stands beside it."""
    shape = (3, size, size)
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed + i)) for i in range(count)])


def sample(
    model, clip, vae, prompts: Sequence[str], *, seed: int, steps: int = 20, cfg: float = 3.0, negative: str = "",
    batch: int = 100, negative_clip=None, size: int = world.SIZE, control=None,
) -> Tensor:  # fmt: skip
    """Pictures `[N, size, size, 3]` in 0..1, picture i from prompt i and the noise of ``seed + i``.

    Args:
        batch: most pictures at once; the result does not depend on it.
        negative_clip: encodes the negative prompt, where that is not ``clip``.
        control: a ControlNet with a picture for each of these, from ``control.along``; all are drawn in one batch then.
    """
    beside = {"control": control, "control_apply_to_uncond": False} if control else {}
    batch = len(prompts) if control else batch
    starts = noise(len(prompts), seed, size)
    refused = encode(negative_clip or clip, [negative])
    pictures = []
    for first in range(0, len(prompts), batch):
        part = slice(first, first + batch)
        asked = encode(clip, prompts[part])
        latent = torch.zeros_like(starts[part])
        done = comfy.sample.sample(
            model, starts[part], steps, cfg, "euler", "normal", [[asked, beside]], [[refused, beside]], latent,
            disable_pbar=True, seed=seed,
        )  # fmt: skip
        pictures.append(vae.decode(done))
    return torch.cat(pictures)


def accuracy(images: Tensor, wanted: Mapping[str, Tensor]) -> dict[str, float]:
    """Share of pictures `[N, 16, 16, 3]` on which each head gives the wanted answer `[N]`; -1 wants nothing."""
    seen = classifier.classify(images)
    return {head: _share(seen[head], answer) for head, answer in wanted.items() if (answer >= 0).any()}


def _share(seen: Tensor, answer: Tensor) -> float:
    asked = answer >= 0
    return (seen[asked] == answer[asked]).float().mean().item()
