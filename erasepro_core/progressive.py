"""The driver: depth by depth, capture, align, solve, and carry on with the layer as it is after its update."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from .capture import hooked
from .concept import Request
from .families import POOLED, Encoder, EncoderBlock, TextInput
from .measure import Encoded, WeightPair, Weights, drift, leak, one_for_all
from .path import Features, TextPath
from .plan import Options, Plan, Tokens, make_plan, take
from .solve import Reader, summed, uce_reader, wide, zero_residual_reader
from .update import Erasure, LowRankUpdate

RTOL = 1e-3
"""Directions weaker than this share of the strongest are noise in targets, and weighted in what else would be exact."""
START_DEPTHS = 5
"""How many start depths are tried, evenly spread over the text encoder."""
FEW_START_DEPTHS = 3
"""The same for models with more blocks than `MANY_BLOCKS`, where every trial is what users wait for."""
MANY_BLOCKS = 24


@dataclass(frozen=True)
class LayerRecord:
    """What one layer needed and got."""

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
    whole: float = 0.0
    """See `Reader.whole`; 0 where it is not known, as behind a file."""


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
    """Depth of the first block that was updated in the deepest text encoder, others by their share of its depth; the
    number of blocks when the text encoders were left alone."""
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
    encoders = list(path.encoders) if _edits_encoder(options) else []
    depth = max((len(encoder.blocks) for encoder in encoders), default=0)
    starts = _starts(options, depth, sum(len(encoder.blocks) for encoder in encoders))
    groups = _edited(path, options)
    total = sum(len(_layers(encoders, start)) for start in starts) + sum(len(group[0].layers) for group in groups)
    step = _counted(tick, total)

    original = _watch(path, plan, encoders)
    attempts = [_attempt(path, plan, options, encoders, start, original, step) for start in starts]
    best = min(attempts, key=lambda attempt: attempt.trial.score)
    cross, cross_records = _text_conditioned(path, plan, best, original, depth, step)
    return Solution(
        erasure=Erasure(path.family.name, best.updates, cross),
        request=request,
        options=options,
        start=best.trial.start,
        layers=(*best.records, *cross_records),
        trials=tuple(attempt.trial for attempt in attempts),
        seconds=time.perf_counter() - began,
    )


def _edits_encoder(options: Options) -> bool:
    return options.method == "ErasePro" and options.where != "cross-attention"


def _edits_diffusion(options: Options) -> bool:
    return options.method != "ErasePro" or options.where != "text encoder"


def _edited(path: TextPath, options: Options) -> list[list[TextInput]]:
    """The inputs whose layers may change, those with the same layers together."""
    groups: dict[tuple[str, ...], list[TextInput]] = {}
    for text_input in path.inputs if _edits_diffusion(options) else ():
        pooled = text_input.source.endswith(POOLED)
        if text_input.edited and not (pooled and options.method == "UCE"):
            groups.setdefault(text_input.layers, []).append(text_input)
    return list(groups.values())


def _stand_ins(path: TextPath) -> Weights:
    """One weight for all that read an input, as far as leak and drift can tell."""
    alone: dict[tuple[str, ...], WeightPair] = {}
    for text_input in path.inputs:
        if text_input.layers not in alone:
            weights = (weight for _, weight in path.conditioned(text_input))
            # A single weight needs none to stand for it, and wide ones (4096 behind a T5) take long to be factored.
            one = next(weights) if len(text_input.layers) == 1 else one_for_all(weights)
            alone[text_input.layers] = one, one
    return {i.name: {"all": alone[i.layers]} for i in path.inputs}


def _starts(options: Options, depth: int, blocks: int) -> list[int]:
    """Start depths to try; `depth` itself leaves the text encoders alone."""
    if depth == 0 or options.schedule == "joint":
        return [0]
    if options.schedule == "deep only":
        return [depth - 1]
    tries = START_DEPTHS if blocks <= MANY_BLOCKS else FEW_START_DEPTHS
    spread = torch.linspace(0, depth - 1, min(tries, depth)).round().int().tolist()
    return spread + ([depth] if _edits_diffusion(options) else [])


def _started(encoders: list[Encoder], start: int) -> list[tuple[Encoder, int]]:
    """Every encoder with the depth at which it is updated first: the same share of its blocks in each."""
    depth = max((len(encoder.blocks) for encoder in encoders), default=0)

    def share(count: int) -> int:
        return count if start >= depth else round(start * (count - 1) / max(depth - 1, 1))

    return [(encoder, share(len(encoder.blocks))) for encoder in encoders]


def _layers(encoders: list[Encoder], start: int) -> list[tuple[str, int, str]]:
    """Names, depths and encoders of the layers that a start depth updates.

    Queries, keys and values where the first change is, since the block's tokens read each other through them before its
    writer can act; and every writer from there on.
    """
    chosen = []
    for encoder, first in _started(encoders, start):
        chosen += [(name, first, encoder.name) for block in encoder.blocks[first : first + 1] for name in block.readers]
        chosen += [(block.writer, d, encoder.name) for d, block in enumerate(encoder.blocks) if d >= first]
    return chosen


def _streams(encoders: list[Encoder], start: int) -> list[tuple[EncoderBlock, str]]:
    """Blocks that a start depth updates and whose writer adds to the residual stream, with their encoders."""
    return [
        (block, encoder.name)
        for encoder, first in _started(encoders, start)
        for block in encoder.blocks[first:]
        if block.stream is not None
    ]


def _counted(tick: Tick, total: int) -> Callable[[], None]:
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        tick(done, total)

    return step


@dataclass(frozen=True)
class _Original:
    """What the batch is to the original model."""

    features: Features
    gaps: Mapping[str, Tensor]
    """`[concepts]`, by layer of the text encoders: how far targets are from their anchors."""
    encoded: Encoded
    weights: Weights
    """One for all that read an input."""


def _watch(path: TextPath, plan: Plan, encoders: list[Encoder]) -> _Original:
    gaps: dict[str, Tensor] = {}
    streams: dict[str, Tensor] = {}

    def hear(name: str, tokens: Tokens, stream: Tensor) -> None:
        streams[name] = _gap(stream, tokens)

    def watch(name: str, tokens: Tokens, _: Tensor, output: Tensor) -> None:
        gaps[name] = _by_concept(_gap(output, tokens) + streams.pop(name, 0), tokens.concept)

    names = [(n, e.name) for e in encoders for block in e.blocks for n in (*block.readers, block.writer)]
    outputs = {path.module(name): partial(watch, name, plan.tokens[encoder]) for name, encoder in names}
    inputs = {
        path.module(str(block.stream)): partial(hear, block.writer, plan.tokens[encoder])
        for block, encoder in _streams(encoders, 0)
    }
    with hooked(outputs, inputs):
        features = path.encode(plan.rows)
    return _Original(features, gaps, plan.encoded(path, features), _stand_ins(path))


def _by_concept(gap: Tensor, concept: Tensor) -> Tensor:
    """Frobenius norm of each concept's columns, `[concepts]`."""
    return summed(wide(gap).square().sum(0), concept).sqrt()


@dataclass(frozen=True)
class _Attempt:
    """One start depth, solved."""

    trial: Trial
    updates: dict[str, LowRankUpdate]
    records: list[LayerRecord]
    contexts: list[_Context]


@dataclass(frozen=True)
class _Context:
    """What the linears that read one input, or several, shall do to it."""

    inputs: list[TextInput]
    concept: Tensor
    """Which concept each column belongs to."""
    required: Tensor
    """`[d, n]`: what is left between targets and anchors behind the text encoders."""
    update: LowRankUpdate
    """On features: each linear's own update is its weight times this."""
    reader: Reader


def _attempt(
    path: TextPath,
    plan: Plan,
    options: Options,
    encoders: list[Encoder],
    start: int,
    original: _Original,
    step: Callable[[], None],
) -> _Attempt:
    work = _Pass(plan, options, original.gaps, step, carry=options.schedule != "joint")
    layers = _layers(encoders, start)
    outputs = {path.module(name): partial(work.solve_layer, name, depth, encoder) for name, depth, encoder in layers}
    streams = {path.module(str(b.stream)): partial(work.hear_stream, b.writer, e) for b, e in _streams(encoders, start)}
    with hooked(outputs, streams):
        features = dict(path.encode(plan.rows) if layers else original.features)
    contexts = [_context(plan, options, features, group) for group in _edited(path, options)]
    for context in contexts:
        features |= {i.name: features[i.name] + context.update(features[i.name]) for i in context.inputs}
    trial = _trial(plan, start, original, plan.encoded(path, features))
    return _Attempt(trial, work.updates, list(work.records.values()), contexts)


def _context(plan: Plan, options: Options, features: Features, inputs: list[TextInput]) -> _Context:
    concept = torch.cat([plan.tokens[i.source].concept for i in inputs])
    reader = make_reader(partial(plan.take, features, inputs), concept, options)
    required = _required(plan, features, inputs)
    return _Context(inputs, concept, required, reader.update(required), reader)


def _required(plan: Plan, features: Features, inputs: list[TextInput]) -> Tensor:
    """What the features of some inputs must gain on the targets to be those of the anchors, `[d, n]`."""
    return plan.take(features, inputs, "anchor") - plan.take(features, inputs, "target")


def _trial(plan: Plan, start: int, original: _Original, edited: Encoded) -> Trial:
    before, weights = original.encoded, original.weights
    left = float(leak(plan.unseen, before, edited, weights, plan.prefixes).mean())
    moved = [float(drift(group, before, edited, weights).mean()) for group in plan.groups.values()]
    return Trial(start, left, max(moved))


def _text_conditioned(
    path: TextPath, plan: Plan, best: _Attempt, original: _Original, depth: int, step: Callable[[], None]
) -> tuple[dict[str, LowRankUpdate], list[LayerRecord]]:
    """The updates of the text-conditioned linears: one reader for all of an input, each with its own outputs."""
    updates: dict[str, LowRankUpdate] = {}
    records: list[LayerRecord] = []
    for context in best.contexts:
        gaps = _required(plan, original.features, context.inputs), context.required
        for name, weight in path.conditioned(context.inputs[0]):
            update = LowRankUpdate((weight @ context.update.left.to(weight)).cpu(), context.update.right)
            gap, required = (weight @ g.to(weight) for g in gaps)
            records.append(_record(name, depth, _by_concept(gap, context.concept), required, update, context.reader))
            updates[name] = update
            step()
    return updates, records


@dataclass
class _Pass:
    """State of one forward pass in which layers are solved as their inputs arrive."""

    plan: Plan
    options: Options
    gaps: Mapping[str, Tensor]
    """By layer and concept, in the original model."""
    step: Callable[[], None]
    carry: bool
    """Whether deeper layers see what shallower ones became."""
    updates: dict[str, LowRankUpdate] = field(default_factory=dict)
    records: dict[str, LayerRecord] = field(default_factory=dict)
    _stream: dict[str, Tensor] = field(default_factory=dict)
    _shared: tuple[Tensor, Reader] | None = None

    def hear_stream(self, writer: str, encoder: str, stream: Tensor) -> None:
        """Keeps what the residual stream adds to the gap of a writer."""
        self._stream[writer] = _gap(stream, self.plan.tokens[encoder])

    def solve_layer(self, name: str, depth: int, encoder: str, features: Tensor, output: Tensor) -> Tensor | None:
        """Solves a layer on the input it has just had; returns the output it would have had with its update."""
        reader = self._reader(features, self.plan.tokens[encoder])
        gap = _gap(output, self.plan.tokens[encoder]) + self._stream.pop(name, 0)
        update = reader.update(gap)
        self.updates[name] = update
        self.records[name] = _record(name, depth, self.gaps[name], gap, update, reader)
        self.step()
        if not self.carry:
            return None
        output[: self.plan.felt] += update(features[: self.plan.felt])
        return output

    def _reader(self, features: Tensor, tokens: Tokens) -> Reader:
        """Queries, keys and values of a block have the same input, and so the same reader."""
        if self._shared is None or self._shared[0] is not features:
            part = lambda name: take(features, getattr(tokens, name))  # noqa: E731
            self._shared = features, make_reader(part, tokens.concept, self.options)
        return self._shared[1]


def make_reader(part: Callable[[str], Tensor], concept: Tensor, options: Options) -> Reader:
    """The reader for layers with one input.

    Args:
        part: gives the input's columns, `[d, n]`, that are `target`, `exact`, `weighted` or `neutral`.
        concept: which concept each target column belongs to.
        options: how to solve.
    """
    if options.method != "ErasePro":
        return uce_reader(part("target"), part("exact"))
    return zero_residual_reader(
        part("target"),
        preserve=part("exact"),
        weighted=part("weighted"),
        neutral=part("neutral"),
        concept=concept,
        rtol=RTOL,
        preserve_rtol=RTOL,
        weight=options.preserve_strength,
        price=options.tolerance,
    )


def _record(
    name: str, depth: int, gaps: Tensor, required: Tensor, update: LowRankUpdate, reader: Reader
) -> LayerRecord:
    return LayerRecord(
        name=name,
        depth=depth,
        gap=float(gaps.norm()),
        required=float(required.norm()),
        size=update.norm(),
        rank=reader.rank,
        condition=reader.condition,
        kept=reader.kept.cpu(),
        whole=reader.whole(gaps),
    )


def _gap(output: Tensor, tokens: Tokens) -> Tensor:
    """What the output must gain on the targets to be that of the anchors, `[d_out, n]`."""
    return take(output, tokens.anchor) - take(output, tokens.target)
