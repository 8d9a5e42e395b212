"""What a solve gives: the updates, what each layer needed and got, and which start depths were tried."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from torch import Tensor

from .concept import Request
from .neighbours import Neighbour
from .options import Options
from .original import Original
from .plan import Plan
from .update import UpdateSet

DRIFT_COUNTS = 2.0
"""How much drift counts against leak: pictures forgive more of a leak (docs/decisions/0085)."""
FORGIVEN_DRIFT, FORGIVEN_LEAK = 0.2, 0.3
"""What a start moves or leaves beyond this counts once more: pictures forgive no more (docs/decisions/0031, 0056)."""


class Side(str, Enum):
    """The half of a model that a layer belongs to; the value is what files call it."""

    TEXT_ENCODER = "text_encoder"
    DIFFUSION_MODEL = "diffusion_model"


@dataclass(frozen=True)
class LayerRecord:
    """What one layer needed and got."""

    side: Side
    name: str
    depth: int
    """The block of its encoder; for a linear of the diffusion model the number of blocks in the deepest encoder."""
    gap: float
    """`|out_o(target) - out_o(anchor)|` before anything was changed."""
    required: float
    """The same after all shallower updates: what was left for this layer to do."""
    size: float
    """`|W - W_o|`"""
    rank: int
    condition: float
    kept: Tensor
    """`[n, rank]`: the mixes of aligned tokens on which the constraint holds exactly."""
    trim_budget: float = 0.0
    """See `RightFactor.trim_budget`; 0 where it is not known, as in an erasure from a file."""


@dataclass(frozen=True)
class Trial:
    """One start depth that was tried."""

    start: int
    leak: float
    """Root mean square over some of the unseen sentences, or over those solved on if that is more."""
    drift: float
    """Root mean square over groups of prompts, of each its mean: preserves, related phrases, neighbours, those of them
    that share tokens with a target, anchors, neutral prompts."""
    table: bool = False
    """Whether the tables of token embeddings change before."""
    share: float = 1.0
    """How much of the tolerance was tried, of which every layer has a share of its own (`ScheduledLayer.share`). With 0
    the tables change and nothing else does. In older files it is the share of the first layers."""

    @property
    def score(self) -> float:
        """What the choice of the start makes small: the distance from no leak and no drift."""
        beyond = max(0.0, self.drift - FORGIVEN_DRIFT) + max(0.0, self.leak - FORGIVEN_LEAK)
        return math.hypot(self.leak, DRIFT_COUNTS * self.drift) + beyond


@dataclass(frozen=True)
class Solution:
    """The updates of a solve and how they came about."""

    updates: UpdateSet
    request: Request
    options: Options
    start: int
    """Depth of the first block that was updated in the deepest text encoder, others by their share of its depth; the
    number of blocks when the text encoders were left alone."""
    layers: tuple[LayerRecord, ...]
    trials: tuple[Trial, ...]
    seconds: float
    """How long the solve took."""
    own_words: tuple[str, ...] = ()
    """What the tokens say whose rows change in the tables of token embeddings."""
    remarks: tuple[str, ...] = ()
    """What a person should know of the request: what was shortened, which preserves mention a target."""
    neighbours: tuple[Neighbour, ...] = ()
    """Names that must not move; not in a file."""
    share: float = 1.0
    """Of the tolerance, which was chosen by trial; see `Trial.share`."""
    observed: tuple[Plan, Original] | None = field(default=None, repr=False, compare=False)
    """What the solve encoded in the original model, for a check right behind it; in no file and no report."""
