"""What the families share whose text goes through one linear before anything else reads it (docs/decisions/0011)."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from .base import Family, TextInput, has


class OneGate(Family):
    """One text encoder, read by the linears that `reads` names: one, or several that read the same tokens."""

    norm: ClassVar[str | None] = None
    """The norm in front of those linears, where there is one."""
    marks: ClassVar[tuple[str, ...]] = ()
    """Other modules that tell this model from those with linears of the same names."""
    newer: ClassVar[tuple[str, ...]] = ()
    """Modules that a newer model has besides, of which nothing is known."""

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        linears = (*self.reads, self.norm) if self.norm else self.reads
        return (
            all(f"diffusion_model.{name}.weight" in diffusion_model for name in linears)
            and all(has(diffusion_model, name) for name in self.marks)
            and not any(has(diffusion_model, name) for name in self.newer)
        )

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        gate = tuple(f"diffusion_model.{name}" for name in self.reads)
        return [TextInput("context", self.encoder_names[:1], gate, norm=self.norm and f"diffusion_model.{self.norm}")]
