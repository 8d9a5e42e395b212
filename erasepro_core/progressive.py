"""The driver: depth by depth, capture, align, solve, and carry on with the layer as it is after its update."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from .capture import hooked
from .concept import Request
from .families import EncoderBlock
from .measure import Encoded, drift, leak, one_for_all
from .path import TextPath
from .plan import Options, Plan, make_plan, take
from .solve import Reader, uce_reader, zero_residual_reader
from .update import Erasure, LowRankUpdate

RTOL = 1e-3
"""Directions of the targets weaker than this share of the strongest are noise."""
EXACT_RTOL = 0.03
"""Directions of the preserves weaker than this are weighted instead of exact."""
NEARLY = 1.15
"""A shallower start is taken when its score is within this factor of the best."""
START_DEPTHS = 5
"""How many start depths are tried, evenly spread over the text encoder."""


@dataclass(frozen=True)
class LayerRecord:
    """What one layer needed and got."""

    name: str
    depth: int
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


@dataclass(frozen=True)
class Trial:
    """One start depth that was tried."""

    start: int
    leak: float
    """Mean over unseen sentences."""
    drift: float
    """Mean over the group of prompts that moved most: preserves, related phrases, anchors, neutral prompts."""

    @property
    def score(self) -> float:
        """What the choice of the start depth makes small: the distance from nothing left and nothing moved."""
        return math.hypot(self.leak, self.drift)


@dataclass(frozen=True)
class Solution:
    """An erasure and how it came about."""

    erasure: Erasure
    request: Request
    options: Options
    start: int
    """Depth of the first block that was updated; the number of blocks when the text encoder was left alone."""
    layers: tuple[LayerRecord, ...]
    trials: tuple[Trial, ...]
    seconds: float
    """How long the solve took."""


Tick = Callable[[int, int], None]
"""Called after every layer with how many are done of how many: shows progress, and raises to stop the solve."""


@torch.no_grad()
def solve_request(
    request: Request, options: Options, path: TextPath, tick: Tick = lambda done, total: None
) -> Solution:
    """Finds the updates that make every target say what its anchor said. The model is only read.

    The schedule `progressive` tries a few start depths, each in one forward pass, and keeps the one that does best on
    sentences and prompts it was not solved on. A single word is best erased from the first block on; a compound such as
    `red circle` would lose its parts there, and only becomes itself in deeper blocks.

    Args:
        request: what to erase and what to preserve.
        options: how.
        path: the live model.
        tick: progress; what it raises ends the solve.

    Raises:
        ConceptError, SolveError, ValueError: nothing was changed.
    """
    began = time.perf_counter()
    plan = make_plan(request, options, path)
    blocks = path.blocks() if _edits_encoder(options) else []
    starts = _starts(options, len(blocks))
    names = [name for name, _ in path.conditioned()] if _edits_diffusion(options) else []
    total = sum(len(_layers(blocks, start)) for start in starts) + len(names)
    step = _counted(tick, total)

    features, gaps = _watch(path, plan, blocks)
    original = plan.encoded(features), one_for_all(weight for _, weight in path.conditioned())
    attempts = [_attempt(path, plan, options, blocks, start, original, step) for start in starts]
    best = _shallowest_good(attempts)
    records = [replace(record, gap=gaps[record.name]) for record in best.records]
    cross, cross_records = _cross_attention(path, plan, best, features, len(blocks), step)
    return Solution(
        erasure=Erasure(path.family.name, best.updates, cross),
        request=request,
        options=options,
        start=best.trial.start,
        layers=(*records, *cross_records),
        trials=tuple(attempt.trial for attempt in attempts),
        seconds=time.perf_counter() - began,
    )


def _edits_encoder(options: Options) -> bool:
    return options.method == "ErasePro" and options.where != "cross-attention"


def _edits_diffusion(options: Options) -> bool:
    return options.method != "ErasePro" or options.where != "text encoder"


def _starts(options: Options, depth: int) -> list[int]:
    """Start depths to try; `depth` itself leaves the text encoder alone."""
    if depth == 0 or options.schedule == "joint":
        return [0]
    if options.schedule == "deep only":
        return [depth - 1]
    spread = torch.linspace(0, depth - 1, min(START_DEPTHS, depth)).round().int().tolist()
    return spread + ([depth] if _edits_diffusion(options) else [])


def _layers(blocks: list[EncoderBlock], start: int) -> list[tuple[str, int]]:
    """Names and depths of the layers that a start depth updates.

    Queries, keys and values where the first change is, since the block's tokens read each other through them before its
    writer can act; and every writer from there on.
    """
    chosen = [(name, start) for block in blocks[start : start + 1] for name in block.readers]
    return chosen + [(block.writer, depth) for depth, block in enumerate(blocks) if depth >= start]


def _counted(tick: Tick, total: int) -> Callable[[], None]:
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        tick(done, total)

    return step


def _watch(path: TextPath, plan: Plan, blocks: list[EncoderBlock]) -> tuple[Tensor, dict[str, float]]:
    """Features of the batch in the original model, and the gap of every layer."""
    gaps: dict[str, float] = {}
    streams: dict[str, Tensor] = {}

    def hear(name: str, stream: Tensor) -> None:
        streams[name] = _gap(stream, plan)

    def watch(name: str, _: Tensor, output: Tensor) -> None:
        gaps[name] = float((_gap(output, plan) + streams.pop(name, 0)).norm())

    names = [name for block in blocks for name in (*block.readers, block.writer)]
    outputs = {path.module(name): partial(watch, name) for name in names}
    inputs = {path.module(block.stream): partial(hear, block.writer) for block in blocks}
    with hooked(outputs, inputs):
        return path.encode(plan.rows), gaps


@dataclass(frozen=True)
class _Attempt:
    """One start depth, solved."""

    trial: Trial
    updates: dict[str, LowRankUpdate]
    records: list[LayerRecord]
    required: Tensor
    """`[d, n]`: what is left between targets and anchors behind the text encoder."""
    context: LowRankUpdate | None
    """What the text-conditioned linears shall do to their features: each one's update is its weight times this."""
    reader: Reader | None


def _attempt(
    path: TextPath,
    plan: Plan,
    options: Options,
    blocks: list[EncoderBlock],
    start: int,
    original: tuple[Encoded, Tensor],
    step: Callable[[], None],
) -> _Attempt:
    work = _Pass(plan, options, step, carry=options.schedule != "joint")
    chosen = _layers(blocks, start)
    with hooked(
        {path.module(name): partial(work.solve_layer, name, depth) for name, depth in chosen},
        {path.module(blocks[d].stream): partial(work.hear_stream, d) for d in range(start, len(blocks))},
    ):
        features = path.encode(plan.rows)
    context, reader, required = None, None, _gap(features, plan)
    if _edits_diffusion(options):
        reader = make_reader(features, plan, options)
        context = reader.update(required)
        features = features + context(features)
    trial = _trial(plan, start, original, plan.encoded(features))
    return _Attempt(trial, work.updates, list(work.records.values()), required, context, reader)


def _shallowest_good(attempts: list[_Attempt]) -> _Attempt:
    """The best attempt, or a shallower one that is nearly as good: shallow updates hold in more sentences."""
    best = min(attempt.trial.score for attempt in attempts)
    return next(attempt for attempt in attempts if attempt.trial.score <= NEARLY * best)


def _trial(plan: Plan, start: int, original: tuple[Encoded, Tensor], edited: Encoded) -> Trial:
    before, weight = original
    weight = weight.to(edited.features[""].device)
    weights = [(weight, weight)]
    left = float(leak(plan.unseen, before, edited, weights, plan.prefixes).mean())
    moved = [float(drift(group, before, edited, weights).mean()) for group in plan.groups.values()]
    return Trial(start, left, max(moved))


def _cross_attention(
    path: TextPath, plan: Plan, best: _Attempt, original: Tensor, depth: int, step: Callable[[], None]
) -> tuple[dict[str, LowRankUpdate], list[LayerRecord]]:
    """The updates of the text-conditioned linears: one reader for all, each with its own outputs."""
    updates: dict[str, LowRankUpdate] = {}
    records: list[LayerRecord] = []
    if best.context is None or best.reader is None:
        return updates, records
    gaps = _gap(original, plan), best.required
    for name, weight in path.conditioned():
        update = LowRankUpdate((weight @ best.context.left.to(weight)).cpu(), best.context.right)
        gap, required = (weight @ g.to(weight) for g in gaps)
        record = _record(name, depth, required, update, best.reader)
        records.append(replace(record, gap=float(gap.norm())))
        updates[name] = update
        step()
    return updates, records


@dataclass
class _Pass:
    """State of one forward pass in which layers are solved as their inputs arrive."""

    plan: Plan
    options: Options
    step: Callable[[], None]
    carry: bool
    """Whether deeper layers see what shallower ones became."""
    updates: dict[str, LowRankUpdate] = field(default_factory=dict)
    records: dict[str, LayerRecord] = field(default_factory=dict)
    _stream: dict[int, Tensor] = field(default_factory=dict)
    _shared: tuple[Tensor, Reader] | None = None

    def hear_stream(self, depth: int, stream: Tensor) -> None:
        """Keeps what the residual stream adds to the gap of this depth's writer."""
        self._stream[depth] = _gap(stream, self.plan)

    def solve_layer(self, name: str, depth: int, features: Tensor, output: Tensor) -> Tensor | None:
        """Solves a layer on the input it has just had; returns the output it would have had with its update."""
        reader = self._reader(features)
        gap = _gap(output, self.plan) + self._stream.pop(depth, 0)
        update = reader.update(gap)
        self.updates[name] = update
        self.records[name] = _record(name, depth, gap, update, reader)
        self.step()
        if not self.carry:
            return None
        output[: self.plan.felt] += update(features[: self.plan.felt])
        return output

    def _reader(self, features: Tensor) -> Reader:
        """Queries, keys and values of a block have the same input, and so the same reader."""
        if self._shared is None or self._shared[0] is not features:
            self._shared = features, make_reader(features, self.plan, self.options)
        return self._shared[1]


def make_reader(features: Tensor, plan: Plan, options: Options) -> Reader:
    """The reader for a layer whose input is `features`, `[rows, tokens, d]`."""
    target = take(features, plan.target)
    if options.method != "ErasePro":
        return uce_reader(target, take(features, plan.exact))
    return zero_residual_reader(
        target,
        preserve=take(features, plan.exact),
        weighted=take(features, plan.weighted),
        neutral=take(features, plan.neutral),
        concept=plan.concept,
        rtol=RTOL,
        preserve_rtol=EXACT_RTOL,
        weight=options.preserve_strength,
        price=options.tolerance,
    )


def _record(name: str, depth: int, required: Tensor, update: LowRankUpdate, reader: Reader) -> LayerRecord:
    return LayerRecord(
        name, depth, 0.0, float(required.norm()), update.norm(), reader.rank, reader.condition, reader.kept.cpu()
    )


def _gap(output: Tensor, plan: Plan) -> Tensor:
    """What the output must gain on the targets to be that of the anchors, `[d_out, n]`."""
    return take(output, plan.anchor) - take(output, plan.target)
