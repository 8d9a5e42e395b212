"""The driver: depth by depth, capture, align, solve, and carry on with the layer as it is after its update."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from .capture import AlignedOutput, CapturedLayer, captured, take
from .concept import Request
from .encoded import Encoded
from .families import POOLED, Encoder, TextInput
from .measure import WeightPair, Weights, drift, leak, stand_in_weight
from .methods import Where
from .neighbours import find_neighbours
from .options import Options
from .path import Features, TextPath
from .plan import Plan, Tokens, make_plan
from .schedule import ScheduledLayer, all_layers, deepest, layers_from
from .solution import LayerRecord, Side, Solution, Trial
from .solve import RightFactor, summed, wide
from .spellings import spelled_out
from .update import LowRankUpdate, UpdateSet

Tick = Callable[[int, int], None]
"""Called after every layer with how many are done of how many: shows progress, and raises to stop the solve."""


@torch.no_grad()
def solve_request(
    request: Request, options: Options, path: TextPath, tick: Tick = lambda done, total: None
) -> Solution:
    """Finds the updates after which every target gives what its anchor gave. The model is only read.

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
    neighbours = find_neighbours(request, path)
    request = spelled_out(request, path)
    plan = make_plan(request, options, path, neighbours)
    where = options.method.where(options.where)
    encoders = list(path.encoders) if where is not Where.CROSS_ATTENTION else []
    groups = _edited_inputs(path, options) if where is not Where.TEXT_ENCODER else []
    starts = options.schedule.starts(encoders, without_encoders=bool(groups))
    total = sum(len(layers_from(encoders, start)) for start in starts) + sum(len(group[0].layers) for group in groups)
    solve = _Solve(path, plan, options, encoders, groups, _original(path, plan, encoders), _counted(tick, total))
    attempts = [solve.attempt(start) for start in starts]
    best = min(attempts, key=lambda attempt: attempt.trial.score)
    conditioned, records = solve.text_conditioned(best)
    return Solution(
        updates=UpdateSet(path.family.name, best.updates, conditioned),
        request=request,
        options=options,
        start=best.trial.start,
        layers=(*best.records, *records),
        trials=tuple(attempt.trial for attempt in attempts),
        seconds=time.perf_counter() - began,
        neighbours=neighbours,
    )


def _edited_inputs(path: TextPath, options: Options) -> list[list[TextInput]]:
    """The inputs whose layers may change, those with the same layers together."""
    groups: dict[tuple[str, ...], list[TextInput]] = {}
    for text_input in path.inputs:
        pooled = text_input.source.endswith(POOLED)
        if text_input.edited and (options.method.pooled or not pooled):
            groups.setdefault(text_input.layers, []).append(text_input)
    return list(groups.values())


def _counted(tick: Tick, total: int) -> Callable[[], None]:
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        tick(done, total)

    return step


@dataclass(frozen=True)
class _Original:
    """The batch in the original model."""

    features: Features
    gaps: Mapping[str, Tensor]
    """`[concepts]`, by layer of the text encoders: how far targets are from their anchors."""
    encoded: Encoded
    weights: Weights
    """One for all that read an input."""


def _original(path: TextPath, plan: Plan, encoders: Sequence[Encoder]) -> _Original:
    gaps: dict[str, Tensor] = {}
    layers = all_layers(encoders)
    encoder_of = {layer.name: layer.encoder for layer in layers}

    def on_layer(layer: CapturedLayer, features: Tensor, output: Tensor, aligned: AlignedOutput) -> None:
        gaps[layer.name] = _by_concept(aligned.gap, plan.tokens[encoder_of[layer.name]].concept)

    with captured(plan.captured(path, layers), on_layer):
        features = path.encode(plan.rows)
    return _Original(features, gaps, plan.encoded(path, features), _stand_ins(path))


def _stand_ins(path: TextPath) -> Weights:
    """One weight for all that read an input, as far as leak and drift can tell."""
    alone: dict[tuple[str, ...], WeightPair] = {}
    for text_input in path.inputs:
        if text_input.layers not in alone:
            weights = (weight for _, weight in path.conditioned(text_input))
            # A single weight needs no stand-in, and wide ones (4096 behind a T5) take long to be factored.
            one = next(weights) if len(text_input.layers) == 1 else stand_in_weight(weights)
            alone[text_input.layers] = one, one
    return {i.name: {"all": alone[i.layers]} for i in path.inputs}


def _by_concept(gap: Tensor, concept: Tensor) -> Tensor:
    """Frobenius norm of each concept's columns, `[concepts]`."""
    return summed(wide(gap).square().sum(0), concept).sqrt()


@dataclass(frozen=True)
class _Context:
    """What the linears that read one input, or several, shall do to it."""

    inputs: Sequence[TextInput]
    concept: Tensor
    """Which concept each column belongs to."""
    required: Tensor
    """`[d, n]`: what is left between targets and anchors behind the text encoders."""
    update: LowRankUpdate
    """On features: each linear's own update is its weight times this."""
    factor: RightFactor


@dataclass(frozen=True)
class _Attempt:
    """One start depth, solved."""

    trial: Trial
    updates: dict[str, LowRankUpdate]
    records: list[LayerRecord]
    contexts: list[_Context]


@dataclass(frozen=True)
class _Solve:
    """All that the start depths of one solve share."""

    path: TextPath
    plan: Plan
    options: Options
    encoders: Sequence[Encoder]
    """Those that may change."""
    groups: Sequence[Sequence[TextInput]]
    """The inputs whose layers may change, those with the same layers together."""
    original: _Original
    step: Callable[[], None]

    def attempt(self, start: int) -> _Attempt:
        """Solves from one start depth on, and measures it."""
        layers = layers_from(self.encoders, start)
        work = _Pass(self.plan, self.options, self.original.gaps, self.step, {layer.name: layer for layer in layers})
        with captured(self.plan.captured(self.path, layers), work.on_layer):
            features = dict(self.path.encode(self.plan.rows) if layers else self.original.features)
        contexts = [self._context(features, group) for group in self.groups]
        for context in contexts:
            features |= {i.name: features[i.name] + context.update(features[i.name]) for i in context.inputs}
        trial = self._trial(start, self.plan.encoded(self.path, features))
        return _Attempt(trial, work.updates, list(work.records.values()), contexts)

    def _context(self, features: Features, inputs: Sequence[TextInput]) -> _Context:
        concept = self.plan.concept(inputs)
        factor = _right_factor(self.options, partial(self.plan.take, features, inputs), concept)
        required = self._required(features, inputs)
        return _Context(inputs, concept, required, factor.update(required), factor)

    def _required(self, features: Features, inputs: Sequence[TextInput]) -> Tensor:
        """What the features of some inputs must gain on the targets to be those of the anchors, `[d, n]`."""
        return self.plan.take(features, inputs, "anchor") - self.plan.take(features, inputs, "target")

    def _trial(self, start: int, edited: Encoded) -> Trial:
        before, weights, plan = self.original.encoded, self.original.weights, self.plan
        left = float(leak(plan.unseen, before, edited, weights, plan.prefixes).mean())
        moved = [float(drift(list(group), before, edited, weights).mean()) for group in plan.groups.values()]
        return Trial(start, left, max(moved))

    def text_conditioned(self, best: _Attempt) -> tuple[dict[str, LowRankUpdate], list[LayerRecord]]:
        """The updates of the text-conditioned linears: one right factor for all of an input, each its own left one."""
        updates: dict[str, LowRankUpdate] = {}
        records: list[LayerRecord] = []
        depth = deepest(self.encoders)
        for context in best.contexts:
            gaps = self._required(self.original.features, context.inputs), context.required
            for name, weight in self.path.conditioned(context.inputs[0]):
                update = LowRankUpdate((weight @ context.update.left.to(weight)).cpu(), context.update.right)
                gap, required = (weight @ g.to(weight) for g in gaps)
                by_concept = _by_concept(gap, context.concept)
                place = Side.DIFFUSION_MODEL, name, depth
                records.append(_record(*place, by_concept, required, update, context.factor))
                updates[name] = update
                self.step()
        return updates, records


@dataclass
class _Pass:
    """State of one forward pass in which layers are solved as their inputs arrive."""

    plan: Plan
    options: Options
    gaps: Mapping[str, Tensor]
    """By layer and concept, in the original model."""
    step: Callable[[], None]
    layers: Mapping[str, ScheduledLayer]
    updates: dict[str, LowRankUpdate] = field(default_factory=dict)
    records: dict[str, LayerRecord] = field(default_factory=dict)
    _shared: tuple[Tensor, RightFactor] | None = None

    def on_layer(self, layer: CapturedLayer, features: Tensor, output: Tensor, aligned: AlignedOutput) -> Tensor | None:
        """Solves a layer on the input it has just had; returns the output it would have had with its update."""
        name, scheduled = layer.name, self.layers[layer.name]
        factor = self._factor(features, self.plan.tokens[scheduled.encoder])
        update = factor.update(aligned.gap)
        self.updates[name] = update
        place = Side.TEXT_ENCODER, name, scheduled.depth
        self.records[name] = _record(*place, self.gaps[name], aligned.gap, update, factor)
        self.step()
        if not self.options.schedule.carries:
            return None
        edited = self.plan.edited_rows
        output[:edited] += update(features[:edited])
        return output

    def _factor(self, features: Tensor, tokens: Tokens) -> RightFactor:
        """Queries, keys and values of a block have the same input, and so the same right factor."""
        if self._shared is None or self._shared[0] is not features:
            part = lambda name: take(features, getattr(tokens, name))  # noqa: E731
            self._shared = features, _right_factor(self.options, part, tokens.concept)
        return self._shared[1]


def _right_factor(options: Options, part: Callable[[str], Tensor], concept: Tensor) -> RightFactor:
    return options.method.right_factor(part, concept, weight=options.preserve_strength, tolerance=options.tolerance)


def _record(
    side: Side, name: str, depth: int, gaps: Tensor, required: Tensor, update: LowRankUpdate, factor: RightFactor
) -> LayerRecord:
    return LayerRecord(
        side=side,
        name=name,
        depth=depth,
        gap=float(gaps.norm()),
        required=float(required.norm()),
        size=update.norm(),
        rank=factor.rank,
        condition=factor.condition,
        kept=factor.kept.cpu(),
        trim_budget=factor.trim_budget(gaps),
    )
