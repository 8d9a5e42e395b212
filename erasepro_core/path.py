"""What the core asks of a live model: how its words become features, and which weights read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from torch import Tensor, nn

from .align import TokenRow
from .families import Encoder, Family, TextInput

Rows = Mapping[str, TokenRow]
"""One prompt as each text encoder reads it, by the encoder's name; a pooled vector counts as one token more."""
Features = Mapping[str, Tensor]
"""What the diffusion model reads of some prompts, by the name of its input: `[rows, tokens, d]`."""


class TextPath(Protocol):
    """The way of a prompt from its words to the linears of the diffusion model that read it, in one live model."""

    family: Family
    encoders: Sequence[Encoder]
    """The text encoders, each with the blocks that run and are not skipped."""
    inputs: Sequence[TextInput]
    """The ways by which text enters the diffusion model."""

    def tokenize(self, prompts: Sequence[str], emphasis: bool = False) -> list[Rows]:
        """Token ids; raises ValueError for a prompt that does not fit into one chunk.

        Args:
            emphasis: whether `(word:1.3)` makes a word count more, as in prompt nodes, or is text as any other.
        """
        ...

    def encode(self, rows: Sequence[Rows], padding: Sequence[int | None] | None = None) -> Features:
        """Features as the diffusion model gets them, all rows in one forward pass of each encoder.

        The last `d` are as many as the input's layers read. What stands behind the end of a row, and behind the padding
        that is asked for, has no meaning or is not there.

        Args:
            rows: the prompts.
            padding: how many padding tokens behind its end are read of each row; None for all. Where padding changes
                nothing before it, what no row needs is not computed.
        """
        ...

    def embeddings(self, encoder: Encoder, tokens: Sequence[int]) -> Tensor:
        """Rows of an encoder's table of token embeddings, `[n, d]` float32."""
        ...

    def words(self, tokens: Mapping[str, Sequence[int]]) -> list[str]:
        """What tokens say, each once, without the mark of a space beside them; nothing of one that is no text.

        Args:
            tokens: by the name of their encoder's table.
        """
        ...

    def table_size(self, encoder: Encoder) -> tuple[int, int]:
        """How many rows that table has, and how many values a row."""
        ...

    def make_room(self, size: int) -> bool:
        """Whether the device that computes has so many bytes to spare; a host may put other models aside for it."""
        ...

    def module(self, name: str) -> nn.Module:
        """A module of the text encoders."""
        ...

    def conditioned(self, text_input: TextInput) -> Iterator[tuple[str, Tensor]]:
        """Name and effective weight, `[d_out, d]` float32, of each linear that reads an input, one after the other."""
        ...
