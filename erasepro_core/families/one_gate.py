"""What the families share whose text goes through one linear before anything else reads it (docs/decisions/0011)."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from .base import Family, TextInput


class OneGate(Family):
    """One text encoder, read by the one linear that `reads` names."""

    norm: ClassVar[str | None] = None
    """The norm in front of that linear, where there is one."""

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        named = (*self.reads, self.norm) if self.norm else self.reads
        return all(f"diffusion_model.{name}.weight" in diffusion_model for name in named)

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        gate = tuple(f"diffusion_model.{name}" for name in self.reads)
        return [TextInput("context", self.encoder_names, gate, norm=self.norm and f"diffusion_model.{self.norm}")]
