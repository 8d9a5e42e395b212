"""What the core asks of a live model: how its words become features, and which weights read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from torch import Tensor, nn

from .align import TokenRow
from .families import EncoderBlock, Family


class TextPath(Protocol):
    """The way of a prompt from its words to the linears of the diffusion model that read it, in one live model."""

    family: Family

    def tokenize(self, prompts: Sequence[str], emphasis: bool = False) -> list[TokenRow]:
        """Token ids; raises ValueError for a prompt that does not fit into one chunk.

        Args:
            emphasis: whether `(word:1.3)` makes a word count more, as in prompt nodes, or is text as any other.
        """
        ...

    def encode(self, rows: Sequence[TokenRow]) -> Tensor:
        """Features as the diffusion model gets them, `[rows, tokens, d]`, all rows in one forward pass."""
        ...

    def blocks(self) -> list[EncoderBlock]:
        """Blocks of the text encoder that run, in execution order."""
        ...

    def module(self, name: str) -> nn.Module:
        """A module of the text encoder."""
        ...

    def conditioned(self) -> Iterator[tuple[str, Tensor]]:
        """Name and effective weight, `[d_out, d]` float32, of each text-conditioned linear, one after the other."""
        ...
