"""Verification: what an erasure does, measured by encoding again through the live models, after the host's own cast."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch
from torch import Tensor

from .checks import make_checks
from .concept import PromptPair, Request, both_prompts
from .encoded import Encoded, encode_prompts, matched
from .failures import why_not_erased
from .measure import (
    WeightPair,
    before_and_after,
    one_by_one,
    ratios,
    read_weights,
    targets_and_anchors,
)
from .original import Observation, Original
from .path import TextPath
from .plan import Plan, make_plan
from .probes import Probe, found_probes, unlisted_probes
from .report import Report, Residual, digest_of
from .schedule import ScheduledLayer, layers_from
from .solution import Solution
from .unchanged import none_moved, sampled, with_equal_rows, with_equal_tokens_as_one
from .update import RowUpdate, UpdateSet

NAMED = ("preserves", "related", "neighbours")
"""Groups of prompts that are about names."""
MOST = 5
"""How many names of each group are reported, those that moved most."""


class NotErasedError(ValueError):
    """A concept that the erasure does not take out; it must never pass for erased."""


@torch.no_grad()
def verify(
    solution: Solution, original: TextPath, edited: TextPath, fingerprints: Mapping[str, tuple[float, ...]]
) -> Report:
    """Measures an erasure in the model that carries it against the model that does not. Both are only read.

    Every prompt that the erasure shall change, or must not, is encoded again through the edited model, but for what the
    rows of its tables of tokens decide alone; see `unchanged`. Of the solve only the names of the layers, the rows that
    take each other's place, the directions that it claims to hold and, right behind it, what it saw in the original
    model are used.

    Args:
        solution: what was solved.
        original: the model without the erasure.
        edited: the model with it.
        fingerprints: of the weights it was solved on, by layer name; see `sketch.fingerprint`.
    """
    plan, before = solution.observed or _observed(solution, original)
    solution = replace(solution, observed=None)
    request = solution.request
    probes = unlisted_probes(request), found_probes(request)
    probed = [matched(original, [probe.pair for probe in each]) for each in probes if each]
    further = both_prompts(pair for pairs, _ in probed for pair in pairs)
    before, unmoved = _with_all(before, solution.updates, (original, edited), plan, further)
    merged = with_equal_tokens_as_one(solution.updates, edited)
    after = _after(solution, merged, plan, unmoved)
    residuals = _table_residuals(solution, original, edited)
    residuals |= _encoder_residuals(solution, before, after)
    residuals |= _conditioned_residuals(solution, (original, edited), before, after)
    encoded = before.encoded, after.encoded
    leaks = [targets_and_anchors(pairs, *encoded, plan.prefixes) for pairs in (plan.named, plan.unseen)]
    for pairs, prefixes in probed:
        targets = encode_prompts(merged, (pair.target_prompt for pair in pairs), known=after.encoded)
        leaks.append(targets_and_anchors(pairs, before.encoded, targets, prefixes))
    movable = {name: [p for p in group if p not in unmoved] for name, group in plan.groups.items()}
    drifts = [before_and_after(group, *encoded) for group in movable.values() if group]
    weights = _compared((original, edited), before, alone=not solution.updates.diffusion_model)
    found = [each.tolist() for each in ratios([*leaks, *drifts], weights)]
    seen, unseen, *left = found[: len(leaks)]
    drifted = iter(found[len(leaks) :])
    moved = {
        name: dict.fromkeys(group, 0.0) | dict(zip(movable[name], next(drifted) if movable[name] else (), strict=True))
        for name, group in plan.groups.items()
    }
    unlisted, others = (_telling(each, left.pop(0) if each else []) for each in probes)
    return Report(
        solution=solution,
        residuals=residuals,
        leak_training=_means(plan.named, seen, request),
        leak_unseen=_means(plan.unseen, unseen, request),
        leak_unlisted=_unlisted(unlisted, request),
        leak_found=_found(others, request),
        drift={name: fmean(each.values()) for name, each in moved.items()},
        moved={name: _most(plan.groups[name], each) for name, each in moved.items() if name in NAMED},
        checks=make_checks(request, original, before.encoded),
        fingerprints=fingerprints,
        digest=digest_of(solution, fingerprints),
    )


def _most(names: Mapping[str, str], moved: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """The names that moved most, each by the mean over its prompts."""
    by_name: dict[str, list[float]] = {}
    for prompt, drifted in moved.items():
        by_name.setdefault(names[prompt], []).append(drifted)
    means = {name: fmean(values) for name, values in by_name.items()}
    return tuple(sorted(means.items(), key=lambda each: -each[1])[:MOST])


def require_erased(report: Report) -> None:
    """Raises NotErasedError for a concept that is left in place, with options that must erase it."""
    if report.not_erased() and report.solution.options.must_erase:
        raise NotErasedError(why_not_erased(report))


@dataclass(frozen=True)
class _After:
    """The edited model on the prompts with targets, and on those whose drift is measured."""

    encoded: Encoded
    layers: Mapping[str, Tensor]
    """By layer of the text encoders: its output and its residual stream at the target tokens, `[d_out, n]`."""
    inputs: Mapping[str, Tensor]
    """By input of the diffusion model: its features at the target tokens, `[d, n]`."""


def _updated(solution: Solution, path: TextPath) -> list[ScheduledLayer]:
    """The layers of the text encoders that an erasure changes."""
    layers = layers_from(path.encoders, solution.start)
    return [layer for layer in layers if layer.name in solution.updates.text_encoder]


def _observed(solution: Solution, path: TextPath) -> tuple[Plan, Original]:
    plan = make_plan(solution.request, solution.options, path, solution.neighbours)
    return plan, _seen(path, plan, _updated(solution, path), plan.compared)


def _seen(path: TextPath, plan: Plan, layers: Sequence[ScheduledLayer], prompts: Iterable[str]) -> Original:
    observation = Observation(path, plan, layers, stays=False)
    observation.see(plan.parts(prompts))
    return observation.whole()


def _with_all(
    before: Original, updates: UpdateSet, models: tuple[TextPath, TextPath], plan: Plan, further: Sequence[str]
) -> tuple[Original, Container[str]]:
    """The original on all that is compared, and the prompts that cannot have moved.

    It runs before the edited model does: the two share their weights, and to run the other one the host moves a whole
    text encoder out and in.
    """
    unmoved = with_equal_rows(updates, models, plan)
    few, movable = sampled(unmoved), [prompt for prompt in plan.measured if prompt not in unmoved]
    before = _with(before, models[0], [*further, *few, *movable])
    if none_moved(few, before.encoded, models[1]):
        return before, unmoved
    return _with(before, models[0], plan.measured), ()


def _with(before: Original, path: TextPath, prompts: Iterable[str]) -> Original:
    """The same with some more prompts; none is encoded twice."""
    return replace(before, encoded=before.encoded.joined(encode_prompts(path, prompts, known=before.encoded)))


def _after(solution: Solution, path: TextPath, plan: Plan, unmoved: Container[str]) -> _After:
    asked = [prompt for prompt in plan.edited if prompt not in unmoved]
    if not (_updated(solution, path) or solution.updates.diffusion_model):
        return _After(encode_prompts(path, asked), {}, {})
    seen = _seen(path, plan, _updated(solution, path), asked)
    layers, inputs = ({name: pair.target for name, pair in part.items()} for part in (seen.layers, seen.inputs))
    return _After(seen.encoded, layers, inputs)


def _compared(
    models: tuple[TextPath, TextPath], before: Original, *, alone: bool
) -> Iterable[tuple[str, str, WeightPair]]:
    """The weights whose outputs are compared: one for all that read an input where an erasure leaves all alone."""
    if alone and before.weights and all(one is other for _, _, (one, other) in read_weights(*models)):
        return one_by_one(before.weights)
    return read_weights(*models)


def _kept(solution: Solution) -> dict[str, Tensor]:
    """By layer: the mixes of aligned tokens on which its constraint holds exactly."""
    return {record.name: record.kept for record in solution.layers}


def _table_residuals(solution: Solution, original: TextPath, edited: TextPath) -> dict[str, Residual]:
    kept, residuals = _kept(solution), {}
    for encoder in original.encoders:
        update = solution.updates.text_encoder.get(encoder.table or "")
        if isinstance(update, RowUpdate):
            targets = update.rows.tolist()
            wanted, before = original.embeddings(encoder, [*update.sources, *targets]).T.chunk(2, dim=1)
            left = wanted - edited.embeddings(encoder, targets).T
            residuals[str(encoder.table)] = _residual(left, wanted - before, kept[str(encoder.table)])
    return residuals


def _encoder_residuals(solution: Solution, before: Original, after: _After) -> dict[str, Residual]:
    kept = _kept(solution)
    return {
        name: _residual(before.layers[name].anchor - target, before.layers[name].gap, kept[name])
        for name, target in after.layers.items()
    }


def _conditioned_residuals(
    solution: Solution, models: tuple[TextPath, TextPath], before: Original, after: _After
) -> dict[str, Residual]:
    if not solution.updates.diffusion_model:
        return {}
    kept, residuals = _kept(solution), {}
    readers = {
        name: [i.name for i in models[0].inputs if name in i.layers] for name in solution.updates.diffusion_model
    }
    for text_input, name, (original, edited) in read_weights(*models):
        if name in readers and text_input == readers[name][0]:
            anchor, target = (
                torch.cat([getattr(before.inputs[i], part) for i in readers[name]], dim=1).to(original)
                for part in ("anchor", "target")
            )
            wanted = original @ anchor
            left = wanted - edited @ torch.cat([after.inputs[i] for i in readers[name]], dim=1).to(edited)
            residuals[name] = _residual(left, wanted - original @ target, kept[name])
    return residuals


def _residual(left: Tensor, gap: Tensor, kept: Tensor) -> Residual:
    kept = kept.to(gap)

    def share(part: Tensor, whole: Tensor) -> float:
        return float(part.norm() / whole.norm().clamp_min(torch.finfo(whole.dtype).tiny))

    return Residual(share(left @ kept, gap @ kept), share(left, gap))


def _means(pairs: Sequence[PromptPair], leaks: Sequence[float], request: Request) -> tuple[float, ...]:
    """By concept: the mean over its pairs; two prompts that never differed leave nothing."""
    found = zip(pairs, (max(left, 0.0) for left in leaks), strict=True)
    return tuple(map(fmean, _by_concept(found, request)))


def _by_concept(leaks: Iterable[tuple[PromptPair, float]], request: Request) -> list[list[float]]:
    """The leaks of pairs, for each concept those of its own."""
    found: list[list[float]] = [[] for _ in request.concepts]
    for pair, left in leaks:
        found[pair.concept].append(left)
    return found


def _unlisted(leaks: Sequence[tuple[Probe, float]], request: Request) -> tuple[float | None, ...]:
    """By concept: the mean over forms of its names that are not listed."""
    by_concept = _by_concept(((probe.pair, left) for probe, left in leaks), request)
    return tuple(fmean(of_concept) if of_concept else None for of_concept in by_concept)


def _found(leaks: Sequence[tuple[Probe, float]], request: Request) -> tuple[tuple[tuple[str, float], ...], ...]:
    """By concept: names that were found and are not listed, each with its mean."""
    by_name: list[dict[str, list[float]]] = [{} for _ in request.concepts]
    for probe, left in leaks:
        by_name[probe.pair.concept].setdefault(probe.name, []).append(left)
    return tuple(tuple((name, fmean(found)) for name, found in names.items()) for names in by_name)


def _telling(probes: Sequence[Probe], leaks: Sequence[float]) -> list[tuple[Probe, float]]:
    """The probes with their leak, but for what a model reads as one before anything is erased."""
    return [(probe, left) for probe, left in zip(probes, leaks, strict=True) if left >= 0]
