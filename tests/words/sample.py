"""Prompts -> pictures with the host's own sampler."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from tests.mini import sample as mini

from .draw import SIZE


def sample(model, clip, vae, prompts: Sequence[str], *, seed: int, steps: int = 20, cfg: float = 3.0) -> Tensor:
    """Pictures `[N, 32, 32, 3]` in 0..1, picture i from prompt i and the noise of ``seed + i``."""
    return mini.sample(model, clip, vae, prompts, seed=seed, steps=steps, cfg=cfg, batch=50, size=SIZE)
