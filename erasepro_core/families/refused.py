"""Models that the host has too, and why there is no family for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

PICTURES = "it reads pictures and no words"
SOUNDS = "it makes sounds, and the sentences here describe pictures"


@dataclass(frozen=True)
class Refused:
    """A model that has no words to erase, or words of another kind."""

    title: str
    """As people know it."""
    part: str
    """Part of the name of a weight that only this model has."""
    reason: str

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        """Whether a diffusion model, given by the names of its weights, is this one."""
        return any(self.part in key for key in diffusion_model)


REFUSED = (
    Refused("Stable Video Diffusion or SV3D", ".time_stack.", PICTURES),
    Refused("Stable Zero123", "cc_projection.weight", PICTURES),
    Refused("Hunyuan3D 2", "diffusion_model.latent_in.", PICTURES),
    Refused("Hunyuan3D 2.1", ".moe.experts.", PICTURES),
    Refused("Stable Audio", "seconds_start_embedder.", SOUNDS),
    Refused("ACE-Step", "diffusion_model.lyric_embs.", SOUNDS),
)
