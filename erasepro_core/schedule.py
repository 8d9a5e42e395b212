"""Which layers of the text encoders change, from which depth on, and which start depths are tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import torch

from .capture import CapturedLayer, Columns
from .families import Encoder
from .path import TextPath

START_DEPTHS = 5
"""How many start depths are tried, evenly spread over the text encoder."""
FEW_START_DEPTHS = 3
"""The same for models with more blocks than `MANY_BLOCKS`, where every trial is what users wait for."""
MANY_BLOCKS = 24
FIRST = 6
"""So many blocks of a text encoder change, from the first on."""
APART = 3
"""Of those behind them every third changes, and the last: the others add memory and time, and bring nothing
(docs/decisions/0118)."""
FIRST_SHARE = 0.3
"""The share of the tolerance in the first block of a text encoder; the last one has all of it."""


class Schedule(str, Enum):
    """In which order layers change, and what each of them sees."""

    PROGRESSIVE = "progressive"
    """From a start depth on, each layer sees what shallower ones became; the start depth is chosen by trial."""
    JOINT = "joint"
    """The same layers, each on the original features."""
    DEEP_ONLY = "deep only"
    """The last block of each text encoder alone."""

    @property
    def carries(self) -> bool:
        """Whether deeper layers see what shallower ones became."""
        return self is not Schedule.JOINT

    @property
    def reaches_tables(self) -> bool:
        """Whether the tables of token embeddings may change: they are shallower than any block."""
        return self is Schedule.PROGRESSIVE

    def starts(self, encoders: Sequence[Encoder], without_encoders: bool) -> list[int]:
        """Start depths to try; the depth of the deepest encoder leaves the text encoders alone.

        Args:
            encoders: those that may change.
            without_encoders: whether to try leaving them alone as well.
        """
        depth = deepest(encoders)
        if depth == 0 or self is Schedule.JOINT:
            return [0]
        if self is Schedule.DEEP_ONLY:
            return [depth - 1]
        tries = START_DEPTHS if sum(len(e.blocks) for e in encoders) <= MANY_BLOCKS else FEW_START_DEPTHS
        spread = torch.linspace(0, depth - 1, min(tries, depth)).round().int().tolist()
        return spread + ([depth] if without_encoders else [])


@dataclass(frozen=True)
class ScheduledLayer:
    """One layer of a text encoder that may change, by module names."""

    name: str
    depth: int
    """Its block in the encoder."""
    encoder: str
    stream: str | None
    """See `EncoderBlock.stream`; None for queries, keys and values, whose output stands alone."""
    reads: str
    """The first layer with the same input: queries, keys and values of a block share theirs."""
    share: float
    """Of the tolerance, which grows by the same factor from block to block. In the first blocks a token says little of
    what stands around it, so that a change there moves much else; the deeper a block, the better it tells a name from
    others (docs/decisions/0107, 0108)."""

    def captured(self, path: TextPath, tokens: Columns) -> CapturedLayer:
        """The layer in a live model, listened to at some tokens."""
        stream = path.module(self.stream) if self.stream is not None else None
        return CapturedLayer(self.name, path.module(self.name), stream, tokens)


def deepest(encoders: Sequence[Encoder]) -> int:
    """Number of blocks of the deepest encoder."""
    return max((len(encoder.blocks) for encoder in encoders), default=0)


def layers_from(encoders: Sequence[Encoder], start: int) -> list[ScheduledLayer]:
    """The layers that a start depth updates.

    Queries, keys and values of the first block that changes, since the block's tokens read each other through them
    before its last linear can act; and the last linear of each block that changes, from there on. A start depth is a
    depth of the deepest encoder; in others it is the same share of their blocks.
    """
    depth, chosen = deepest(encoders), []
    for encoder in encoders:
        count = len(encoder.blocks)
        first = count if start >= depth else round(start * (count - 1) / max(depth - 1, 1))
        blocks = [block for block in range(first, count) if _changes(block, count)]
        chosen += [layer for block in blocks[:1] for layer in _qkv(encoder, block)]
        chosen += [_output(encoder, block) for block in blocks]
    return chosen


def _changes(block: int, count: int) -> bool:
    """Whether a block of an encoder of so many blocks changes."""
    return block < FIRST or block % APART == 0 or block == count - 1


def _qkv(encoder: Encoder, block: int) -> list[ScheduledLayer]:
    qkv = encoder.blocks[block].qkv
    return [ScheduledLayer(name, block, encoder.name, None, qkv[0], _share(encoder, block)) for name in qkv]


def _output(encoder: Encoder, block: int) -> ScheduledLayer:
    output = encoder.blocks[block].output
    return ScheduledLayer(output, block, encoder.name, encoder.blocks[block].stream, output, _share(encoder, block))


def _share(encoder: Encoder, block: int) -> float:
    last = len(encoder.blocks) - 1
    return FIRST_SHARE ** ((last - block) / max(last, 1))
