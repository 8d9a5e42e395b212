"""Pictures by the host's own sampler functions, as its KSampler and VAE Decode nodes make them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import comfy.sample
import comfy.samplers
from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP, VAE
from torch import Tensor

SAMPLERS: list[str] = comfy.samplers.KSampler.SAMPLERS
SCHEDULERS: list[str] = comfy.samplers.KSampler.SCHEDULERS


@dataclass(frozen=True)
class Sampling:
    """How a picture is sampled; the names are the host's."""

    steps: int
    cfg: float
    sampler: str
    scheduler: str
    denoise: float = 1.0


def conditioning(clip: CLIP, text: str) -> list[Any]:
    """A prompt as CLIP Text Encode gives it."""
    return clip.encode_from_tokens_scheduled(clip.tokenize(text))


def draw(
    model: ModelPatcher,
    vae: VAE,
    prompts: tuple[list[Any], list[Any]],
    latent: dict[str, Any],
    seed: int,
    how: Sampling,
    on_step: Callable[[], None],
) -> Tensor:
    """One picture, `[height, width, 3]`, 0 to 1; of a video its first frame.

    Args:
        model, vae: what samples, and what decodes.
        prompts: positive and negative, encoded.
        latent: as the host's nodes hand it on; its first entry is where sampling starts.
        seed: of the noise.
        how: steps and so on.
        on_step: called after every step; what it raises ends the sampling.
    """
    start = comfy.sample.fix_empty_latent_channels(model, latent["samples"][:1])
    noise = comfy.sample.prepare_noise(start, seed)
    samples = comfy.sample.sample(
        model,
        noise,
        how.steps,
        how.cfg,
        how.sampler,
        how.scheduler,
        *prompts,
        start,
        denoise=how.denoise,
        noise_mask=latent["noise_mask"][:1] if "noise_mask" in latent else None,
        callback=lambda step, x0, x, total: on_step(),
        disable_pbar=True,
        seed=seed,
    )
    pictures = cast(Tensor, vae.decode(samples))
    return pictures.reshape(-1, *pictures.shape[-3:])[0].cpu().float()
