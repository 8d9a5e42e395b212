"""What the core needs to know of a model family: names only, no modules, no weights."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class EncoderBlock:
    """One block of a text encoder, by module names."""

    readers: tuple[str, ...]
    """Linears that read a token for the attention: queries, keys and values."""
    writer: str
    """The last linear that writes to the residual stream."""
    stream: str
    """The module whose input is the residual stream that the writer adds to."""


class Family(Protocol):
    """A model family: how to tell it and where text goes in it."""

    name: str

    def recognises(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> bool:
        """Whether both sides, given by the names of their weights, are of this family."""
        ...

    def encoder_blocks(self, text_encoder: Collection[str]) -> list[EncoderBlock]:
        """Blocks of the text encoder in execution order."""
        ...

    def conditioned(self, diffusion_model: Collection[str]) -> list[str]:
        """Linears of the diffusion model that read the text features, in execution order."""
        ...

    def lora_name(self, side: str, name: str) -> str:
        """What a LoRA file calls a layer: what stands before `.lora_up.weight`, as stock loaders read it.

        Args:
            side: `text_encoder` or `diffusion_model`.
            name: the layer's name on that side.
        """
        ...
