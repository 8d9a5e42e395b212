"""The driver: what stays is looked at once, start depths are tried, and every layer gets its update."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from .attempts import Attempt, Attempts, recorded
from .concept import PromptPair, Request
from .encoded import Encoded, encode_prompts
from .families import POOLED, TextInput
from .measure import WeightPair, Weights, leak, stand_in_weight
from .methods import Where
from .neighbours import find_neighbours
from .options import Options
from .original import Observation, Original
from .path import Rows, TextPath
from .plan import Plan, make_plan
from .progress import Phase, Steps, Tick, ignore
from .schedule import deepest, layers_from
from .solution import LayerRecord, Side, Solution, Trial
from .spellings import fitting, in_languages, kept_with_targets, spelled_out, unread
from .table import DEPTH, NO_SWAPS, SwappedPath, Swaps, own_tokens
from .trials import ENOUGH, Sample, Trials
from .update import LowRankUpdate, RowUpdate, UpdateSet

NOTHING = 1e-5
"""Behind changed tables, linears of the diffusion model stay where less than this share of the gap is left."""


@torch.no_grad()
def solve_request(request: Request, options: Options, path: TextPath, tick: Tick = ignore) -> Solution:
    """Finds the updates after which every target gives what its anchor gave. The model is only read.

    The schedule `progressive` tries a few start depths on the first sentences of every name, each in one forward pass,
    and solves with all sentences from the one that does best on sentences and prompts it was not solved on. A single
    word is best erased from the first block on; a compound such as `red circle` would lose its parts there, and only
    becomes itself in deeper blocks.

    Args:
        request: what to erase and what to preserve.
        options: how.
        path: the live model.
        tick: progress; what it raises ends the solve.

    Raises:
        ConceptError, SolveError, ValueError: nothing was changed.
    """
    began = time.perf_counter()
    remarks = unread(request, path)
    neighbours = find_neighbours(in_languages(request, path), path)
    request, shortened = fitting(spelled_out(request, path), path)
    remarks += [*shortened, *kept_with_targets(request, options.preserve)]
    plan = make_plan(request, options, path, neighbours)
    found = _found(path, plan, options, request, tick)
    return Solution(
        updates=found.updates,
        request=request,
        options=options,
        start=found.trial.start,
        share=found.trial.share,
        layers=found.layers,
        trials=found.trials,
        seconds=time.perf_counter() - began,
        remarks=(*remarks, *found.swaps.remarks()),
        own_words=found.swaps.words,
        neighbours=neighbours,
        observed=(plan, found.original),
    )


@dataclass(frozen=True)
class _Found:
    """Updates, and how they came about."""

    updates: UpdateSet
    layers: tuple[LayerRecord, ...]
    trial: Trial
    """The start that was chosen."""
    trials: tuple[Trial, ...]
    swaps: Swaps
    """The tokens whose rows change in the tables."""
    original: Original


def _found(path: TextPath, plan: Plan, options: Options, request: Request, tick: Tick) -> _Found:
    """The updates: in the tables alone if they do all of it, else of the best start, in the tables too or not."""
    where = options.method.where(options.where)
    encoders = list(path.encoders) if where is not Where.CROSS_ATTENTION else []
    groups = _edited_inputs(path, options) if where is not Where.TEXT_ENCODER else []
    starts = options.schedule.starts(encoders, without_encoders=bool(groups))
    layers = {layer.name: layer for start in starts for layer in layers_from(encoders, start)}
    tables = bool(encoders) and options.own_tokens and options.schedule.reaches_tables and options.method.tables
    swaps = own_tokens(request, path, plan.stays, plan.known, plan.asked, options.forms) if tables else NO_SWAPS
    rows = swaps.updates(path)
    untouched = swaps.untouched(plan.watched) if rows else {}
    parts = plan.parts(prompt for prompt in plan.compared if prompt not in untouched)
    others = plan.parts([*untouched, *plan.others])
    counts = [len(layers_from(encoders, start)) for start in starts]
    step = Steps(_steps(len(parts) + len(others), counts, groups, tables=bool(rows)), tick)
    no_layer = bool(rows) and _become_anchors(plan, swaps)
    seen, weights = Observation(path, plan, () if no_layer else layers.values()), _stand_ins(path)
    swapped, left = None, []
    before = seen.see(parts, lambda: step(Phase.READING))
    if rows:
        trial, swapped, left = _in_the_tables(path, plan, swaps, before, weights, deepest(encoders))
        if trial is not None:  # no everyday prompt need be encoded
            step.end(Phase.SOLVING)
            updates, records = UpdateSet(path.family.name, rows, {}), tuple(map(_table_record, rows, rows.values()))
            return _Found(updates, records, trial, (trial,), swaps, Original(before, {}, {}, {}, weights))
    seen.see(others, lambda: step(Phase.READING))
    original = replace(seen.whole(), weights=weights)
    swapped = swapped and swapped.joined(original.encoded.only(untouched))
    used, several = swaps if rows else NO_SWAPS, len(starts) + bool(rows) > 1
    attempts = Attempts(path, plan, options, encoders, groups, original, step, used, swapped, several=several)
    best, trial, trials = Trials(attempts, weights, Sample.of(plan, left), []).best_of(starts)
    conditioned, records = _text_conditioned(attempts, best)
    step.end(Phase.SOLVING)
    rows = rows if best.table else {}
    updates = UpdateSet(path.family.name, {**rows, **best.updates}, conditioned)
    records = (*map(_table_record, rows, rows.values()), *best.records, *records)
    return _Found(updates, records, trial, trials, used if rows else NO_SWAPS, original)


def _become_anchors(plan: Plan, swaps: Swaps) -> bool:
    """Whether the model reads every target as its anchor once its tables are changed: no layer has anything to do."""

    def rows(prompt: str) -> Rows:
        return plan.rows[plan.row_of[prompt]]

    pairs = (*plan.named, *plan.unseen)
    return all(swaps.applied(rows(pair.target_prompt)) == rows(pair.anchor_prompt) for pair in pairs)


def _in_the_tables(
    path: TextPath, plan: Plan, swaps: Swaps, before: Encoded, weights: Weights, depth: int
) -> tuple[Trial | None, Encoded, list[PromptPair]]:
    """What the tables do alone: their trial if nothing is left to do, some prompts, and pairs of names that are left.

    What the tables move is no reason to go on: layers behind them would only move more.
    """
    sample, swapped = Sample.of(plan).among(before.features), SwappedPath(path, swaps)
    asked = [*sample.prompts, *(pair.target_prompt for pair in plan.few_pairs)]
    after = encode_prompts(swapped, asked, known=before)  # most prompts have no token that changes
    trial = sample.trial(depth, before, after, weights, table=True, share=0.0)
    if trial.leak > ENOUGH:
        return None, after, []
    # A name may be one token in one sentence and several in another, so every sentence counts. Forms do not: a start
    # is chosen without them as well.
    pairs = [*plan.named, *plan.unseen]
    every = encode_prompts(
        swapped, [*after.features, *(pair.target_prompt for pair in pairs)], known=before.joined(after)
    )
    found = leak(pairs, before, every, weights, plan.prefixes).tolist()
    left = [pair for pair, each in zip(pairs, found, strict=True) if each > ENOUGH]
    return (None if left else trial), every, left


def _edited_inputs(path: TextPath, options: Options) -> list[list[TextInput]]:
    """The inputs whose layers may change, those with the same layers together."""
    groups: dict[tuple[str, ...], list[TextInput]] = {}
    for text_input in path.inputs:
        pooled = text_input.source.endswith(POOLED)
        if text_input.edited and (options.method.pooled or not pooled):
            groups.setdefault(text_input.layers, []).append(text_input)
    return list(groups.values())


def _steps(parts: int, layers: Sequence[int], groups: Sequence[Sequence[TextInput]], *, tables: bool) -> int:
    """How many steps there are at most: parts of the first pass, layers of every trial and of the solve, linears.

    Args:
        parts: of the first pass.
        layers: how many each start depth has; the solve may take as many as the first.
        groups: the inputs whose linears change.
        tables: whether each start depth is tried with changed tables as well.
    """
    trials = sum(layers) * (2 + tables) if len(layers) > 1 or tables else 0
    return parts + trials + max(layers) + sum(len(group[0].layers) for group in groups)


def _text_conditioned(attempts: Attempts, best: Attempt) -> tuple[dict[str, LowRankUpdate], list[LayerRecord]]:
    """The updates of the text-conditioned linears: one right factor for all of an input, each its own left one."""
    updates: dict[str, LowRankUpdate] = {}
    records: list[LayerRecord] = []
    depth = deepest(attempts.encoders)
    for context in best.contexts:
        if best.table and context.required.norm() <= NOTHING * context.gap.norm():
            continue
        right = context.update.right.cpu()
        for name, weight in attempts.path.conditioned(context.inputs[0]):
            update = LowRankUpdate((weight @ context.update.left.to(weight)).cpu(), right)
            gap, required = (weight @ part.to(weight) for part in (context.gap, context.required))
            place = Side.DIFFUSION_MODEL, name, depth
            records.append(recorded(place, gap, required, context.concept, update, context.factor))
            updates[name] = update
            attempts.step(Phase.SOLVING, name)
    return updates, records


def _table_record(name: str, update: RowUpdate) -> LayerRecord:
    size = update.norm()
    return LayerRecord(Side.TEXT_ENCODER, name, DEPTH, size, size, size, update.rank, 1.0, torch.eye(update.rank))


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
