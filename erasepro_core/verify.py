"""Verification: what an erasure does, measured by encoding again through the live models, after the host's own cast."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch
from torch import Tensor

from .checks import make_checks
from .concept import PromptPair, Request
from .encoded import Encoded, encode_prompts, matched
from .failures import why_not_erased
from .measure import Weights, drift, leak, weight_pairs
from .original import Observation, Original
from .path import TextPath
from .plan import Plan, make_plan
from .probes import Probe, found_probes, unlisted_probes
from .report import Report, Residual, digest_of
from .schedule import ScheduledLayer, layers_from
from .solution import Solution
from .update import RowUpdate

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

    Every prompt that the erasure shall change, or must not, is encoded again through the edited model. Of the solve
    only the names of the layers, the directions that it claims to hold and, right behind it, what it saw in the
    original model are used.

    Args:
        solution: what was solved.
        original: the model without the erasure.
        edited: the model with it.
        fingerprints: of the weights it was solved on, by layer name; see `sketch.fingerprint`.
    """
    plan, before = solution.observed or _observed(solution, original)
    solution = replace(solution, observed=None)
    after = _after(solution, edited, plan)
    weights = weight_pairs(original, edited)
    residuals = _table_residuals(solution, original, edited)
    residuals |= _encoder_residuals(solution, before, after)
    residuals |= _conditioned_residuals(solution, original, before, after, weights)
    encoded = before.encoded, after.encoded

    def leaks(pairs: Sequence[PromptPair]) -> tuple[float, ...]:
        left = leak(pairs, *encoded, weights, plan.prefixes).tolist()
        return tuple(map(fmean, _by_concept(zip(pairs, left, strict=True), solution.request)))

    drifts = {
        name: dict(zip(group, drift(list(group), *encoded, weights).tolist(), strict=True))
        for name, group in plan.groups.items()
    }

    def left_in(probes: Sequence[Probe]) -> list[tuple[Probe, float]]:
        return _leaks(probes, (original, edited), encoded, weights)

    return Report(
        solution=solution,
        residuals=residuals,
        leak_training=leaks(plan.named),
        leak_unseen=leaks(plan.unseen),
        leak_unlisted=_unlisted(left_in(unlisted_probes(solution.request)), solution.request),
        leak_found=_found(left_in(found_probes(solution.request)), solution.request),
        drift={name: fmean(moved.values()) for name, moved in drifts.items()},
        moved={name: _most(plan.groups[name], moved) for name, moved in drifts.items() if name in NAMED},
        checks=make_checks(solution.request, original, before.encoded),
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


def _after(solution: Solution, path: TextPath, plan: Plan) -> _After:
    seen = _seen(path, plan, _updated(solution, path), plan.edited)
    layers, inputs = ({name: pair.target for name, pair in part.items()} for part in (seen.layers, seen.inputs))
    return _After(seen.encoded, layers, inputs)


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
    solution: Solution, path: TextPath, before: Original, after: _After, weights: Weights
) -> dict[str, Residual]:
    kept, residuals = _kept(solution), {}
    for name in solution.updates.diffusion_model:
        inputs = [text_input.name for text_input in path.inputs if name in text_input.layers]
        original, edited = weights[inputs[0]][name]
        anchor, target = (
            torch.cat([getattr(before.inputs[i], part) for i in inputs], dim=1).to(original)
            for part in ("anchor", "target")
        )
        wanted = original @ anchor
        left = wanted - edited @ torch.cat([after.inputs[i] for i in inputs], dim=1).to(edited)
        residuals[name] = _residual(left, wanted - original @ target, kept[name])
    return residuals


def _residual(left: Tensor, gap: Tensor, kept: Tensor) -> Residual:
    kept = kept.to(gap)

    def share(part: Tensor, whole: Tensor) -> float:
        return float(part.norm() / whole.norm().clamp_min(torch.finfo(whole.dtype).tiny))

    return Residual(share(left @ kept, gap @ kept), share(left, gap))


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


def _leaks(
    probes: Sequence[Probe], models: tuple[TextPath, TextPath], known: tuple[Encoded, Encoded], weights: Weights
) -> list[tuple[Probe, float]]:
    """The probes with their leak, those that tell something.

    What a model reads as one before anything is erased says nothing of the erasure.

    Args:
        probes: what is measured.
        models: the original and the edited one.
        known: prompts that are encoded already in each.
        weights: of what reads the text.
    """
    if not probes:
        return []
    pairs, prefixes = matched(models[0], [probe.pair for probe in probes])
    both = [prompt for pair in pairs for prompt in (pair.target_prompt, pair.anchor_prompt)]
    targets = [pair.target_prompt for pair in pairs]
    encoded = encode_prompts(models[0], both, known=known[0]), encode_prompts(models[1], targets, known=known[1])
    told = leak(pairs, encoded[0], encoded[0], weights, prefixes) > 0
    left = leak(pairs, *encoded, weights, prefixes)
    return [(probes[n], float(left[n])) for n in told.nonzero().flatten().tolist()]
