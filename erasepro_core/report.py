"""What an erasure really does, measured by encoding again through the live models, after the host's own cast."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from statistics import fmean

import torch
from torch import Tensor

from .audit import Check, make_checks, unlisted, unlisted_forms
from .capture import hooked
from .concept import PromptPair
from .measure import Weights, drift, leak, matched, read, weight_pairs
from .path import Features, TextPath
from .plan import Plan, Tokens, make_plan, take
from .progressive import Solution

PACK_VERSION = "0.1.0"
NOT_ERASED = 0.5
"""A concept with more leak than this on its own training sentences counts as not erased."""


class NotErasedError(ValueError):
    """A concept that the erasure does not take out; it must never pass for erased."""


@dataclass(frozen=True)
class Residual:
    """What is left of one layer's gap, as a share of the gap before anything was changed."""

    kept: float
    """On the directions that the constraint holds exactly."""
    all: float
    """On all aligned tokens."""


@dataclass(frozen=True)
class Report:
    """Everything that is claimed of an erasure."""

    solution: Solution
    residuals: Mapping[str, Residual]
    """By layer name, in execution order."""
    leak_training: tuple[float, ...]
    """By concept, mean over the sentences it was solved on."""
    leak_unseen: tuple[float, ...]
    """By concept, mean over sentences it was not solved on."""
    leak_unlisted: tuple[float | None, ...]
    """By concept, mean over forms of its names that are not listed, such as plurals; None where all are."""
    drift: Mapping[str, float]
    """Mean by group of prompts that should not have moved."""
    checks: tuple[Check, ...] = ()
    """Where the targets stood before: leak can be measured against them in any live model."""
    fingerprints: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Of the weights it was solved on, by layer name; see `audit.fingerprint`."""
    digest: str = ""
    """Short name of what was asked of which weights; see `named`."""

    @property
    def residual_max(self) -> float:
        """Over all layers, on the directions kept."""
        return max(residual.kept for residual in self.residuals.values())

    def named(self, fingerprints: Mapping[str, tuple[float, ...]]) -> Report:
        """The report of an erasure that was solved on weights with these fingerprints, with its digest.

        The digest is of the request, the options, the weights, the start depth that was chosen, and the pack's version:
        of everything that decides the contents but the order in which a machine adds up (docs/decisions/0022).
        """
        solution = self.solution
        asked = [asdict(solution.request), asdict(solution.options), solution.erasure.family, dict(fingerprints)]
        text = json.dumps([*asked, solution.start, PACK_VERSION], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return replace(self, fingerprints=fingerprints, digest=digest)

    def not_erased(self) -> list[str]:
        """Concepts that are still there."""
        concepts = zip(self.solution.request.concepts, self.leak_training, strict=True)
        return [str(concept) for concept, left in concepts if left > NOT_ERASED]

    def raised(self) -> Report:
        """The report itself; raises NotErasedError when our own method left a concept in place."""
        left = self.not_erased()
        if left and self.solution.options.method == "ErasePro" and self.solution.options.schedule == "progressive":
            raise NotErasedError(
                f"not erased: {'; '.join(left)} (leak {max(self.leak_training):.2f}, expected at most {NOT_ERASED}). "
                "What is preserved leaves no room for it. Preserve less, set preserve to weighted, or choose an anchor "
                "that is closer to the target."
            )
        return self

    def get_ram_usage(self) -> int:
        """Bytes; the host asks this of values it caches."""
        return self.solution.erasure.nbytes()

    def short(self) -> str:
        """A few lines for the node."""
        solution = self.solution
        leaks = zip(self.leak_training, self.leak_unseen, self.leak_unlisted, strict=True)
        lines = []
        for concept, (seen, new, form) in zip(solution.request.concepts, leaks, strict=True):
            lines += [
                str(concept),
                f"  leak {seen:.3f} in sentences solved on, {new:.3f} in unseen ones (1 all, 0 gone)",
            ]
            if form is not None:
                lines.append(f"  leak {form:.3f} in forms that are not listed: {', '.join(unlisted_forms(concept))}")
        lines += [f"NOT ERASED: {concept}" for concept in self.not_erased()]
        lines.append("drift: " + ", ".join(f"{name} {moved:.3f}" for name, moved in self.drift.items()))
        lines.append(f"residual at most {self.residual_max:.1e} in {len(self.residuals)} layers, {self._where()}")
        size = solution.erasure.nbytes() / 1e6
        lines.append(f"{size:.2f} MB, solved in {solution.seconds:.1f} s")
        lines.append(f"digest {self.digest}")
        return "\n".join(lines)

    def _where(self) -> str:
        depths = {record.depth for record in self.solution.layers}
        return f"from depth {min(depths)} to {max(depths)}"

    def table(self) -> str:
        """One line a layer, as Markdown."""
        lines = ["| layer | depth | gap | left to do | residual kept | residual all | update | rank | condition |"]
        lines.append("| --- " * 9 + "|")
        for record in self.solution.layers:
            left = self.residuals[record.name]
            lines.append(
                f"| {record.name} | {record.depth} | {record.gap:.3g} | {record.required:.3g} | {left.kept:.1e} | "
                f"{left.all:.1e} | {record.size:.3g} | {record.rank} | {record.condition:.0f} |"
            )
        return "\n".join(lines)

    def markdown(self) -> str:
        """The lines for the node and the table."""
        return f"{self.short()}\n\n{self.table()}"

    def as_dict(self) -> dict:
        """The same as plain values, for JSON."""
        solution = self.solution
        names = "name", "depth", "gap", "required", "size", "rank", "condition"
        return {
            "concepts": [str(concept) for concept in solution.request.concepts],
            "preserves": list(solution.request.preserves),
            "options": asdict(solution.options),
            "family": solution.erasure.family,
            "digest": self.digest,
            "checksum": solution.erasure.checksum(),
            "bytes": solution.erasure.nbytes(),
            "start": solution.start,
            "trials": [asdict(trial) for trial in solution.trials],
            "leak": {
                "training": list(self.leak_training),
                "unseen": list(self.leak_unseen),
                "unlisted": list(self.leak_unlisted),
            },
            "drift": dict(self.drift),
            "residual_max": self.residual_max,
            "seconds": solution.seconds,
            "layers": [
                {name: getattr(record, name) for name in names} | asdict(self.residuals[record.name])
                for record in solution.layers
            ],
        }


@torch.no_grad()
def check(solution: Solution, original: TextPath, edited: TextPath) -> Report:
    """Measures an erasure in the model that carries it against the model that does not. Both are only read.

    Every prompt of the solve is encoded again through both; nothing is taken over from the solve but the names of the
    layers and the directions it says it holds.
    """
    plan = make_plan(solution.request, solution.options, original)
    before, after = _said(solution, original, plan), _said(solution, edited, plan)
    weights = weight_pairs(original, edited)
    residuals = _encoder_residuals(solution, plan, before, after)
    residuals |= _conditioned_residuals(solution, plan, original, before.features, after.features, weights)
    encoded = plan.encoded(original, before.features), plan.encoded(edited, after.features)

    def leaks(pairs: Sequence[PromptPair]) -> tuple[float, ...]:
        left = leak(pairs, *encoded, weights, plan.prefixes)
        return tuple(map(fmean, _by_concept(left, pairs, len(solution.request.concepts))))

    return Report(
        solution=solution,
        residuals=residuals,
        leak_training=leaks(plan.pairs),
        leak_unseen=leaks(plan.unseen),
        leak_unlisted=_unlisted(solution, original, edited, weights),
        drift={name: float(drift(group, *encoded, weights).mean()) for name, group in plan.groups.items()},
        checks=make_checks(solution.request, original),
    )


@dataclass(frozen=True)
class _Said:
    """What a model says to the batch of a plan."""

    features: Features
    target: Mapping[str, Tensor]
    """Outputs at the target columns, residual stream included, by layer name: `[d_out, n]`."""
    anchor: Mapping[str, Tensor]


def _said(solution: Solution, path: TextPath, plan: Plan) -> _Said:
    updated = solution.erasure.text_encoder
    target: dict[str, Tensor] = {}
    anchor: dict[str, Tensor] = {}
    streams: dict[str, Tensor] = {}

    def hear(name: str, stream: Tensor) -> None:
        streams[name] = stream.clone()

    def watch(name: str, tokens: Tokens, _: Tensor, output: Tensor) -> None:
        whole = output + streams.pop(name) if name in streams else output
        target[name], anchor[name] = take(whole, tokens.target), take(whole, tokens.anchor)

    blocks = [(block, encoder.name) for encoder in path.encoders for block in encoder.blocks]
    layers = {n: encoder for block, encoder in blocks for n in (*block.readers, block.writer) if n in updated}
    outputs = {path.module(name): partial(watch, name, plan.tokens[encoder]) for name, encoder in layers.items()}
    inputs = {path.module(b.stream): partial(hear, b.writer) for b, _ in blocks if b.stream and b.writer in updated}
    with hooked(outputs, inputs):
        return _Said(path.encode(plan.rows), target, anchor)


def _encoder_residuals(solution: Solution, plan: Plan, before: _Said, after: _Said) -> dict[str, Residual]:
    layers = {record.name: record.kept for record in solution.layers}
    return {
        name: _residual(
            before.anchor[name] - after.target[name], before.anchor[name] - before.target[name], layers[name]
        )
        for name in solution.erasure.text_encoder
    }


def _conditioned_residuals(
    solution: Solution,
    plan: Plan,
    path: TextPath,
    before: Features,
    after: Features,
    weights: Weights,
) -> dict[str, Residual]:
    layers = {record.name: record.kept for record in solution.layers}
    residuals = {}
    for name in solution.erasure.diffusion_model:
        inputs = [text_input for text_input in path.inputs if name in text_input.layers]
        original, edited = weights[inputs[0].name][name]
        anchor, target = (plan.take(before, inputs, part).to(original) for part in ("anchor", "target"))
        wanted = original @ anchor
        left = wanted - edited @ plan.take(after, inputs, "target").to(edited)
        residuals[name] = _residual(left, wanted - original @ target, layers[name])
    return residuals


def _residual(left: Tensor, gap: Tensor, kept: Tensor) -> Residual:
    kept = kept.to(gap)

    def share(part: Tensor, whole: Tensor) -> float:
        return float(part.norm() / whole.norm().clamp_min(torch.finfo(whole.dtype).tiny))

    return Residual(share(left @ kept, gap @ kept), share(left, gap))


def _by_concept(left: Tensor, pairs: Sequence[PromptPair], count: int) -> list[list[float]]:
    """The leaks of pairs, for each concept those of its own."""
    return [[v for pair, v in zip(pairs, left.tolist(), strict=True) if pair.concept == c] for c in range(count)]


def _unlisted(solution: Solution, original: TextPath, edited: TextPath, weights: Weights) -> tuple[float | None, ...]:
    """Leak by concept in forms of its names that nobody listed."""
    pairs = [pair for *_, pair in unlisted(solution.request)]
    count = len(solution.request.concepts)
    if not pairs:
        return (None,) * count
    pairs, prefixes = matched(original, pairs)
    prompts = [prompt for pair in pairs for prompt in (pair.target_prompt, pair.anchor_prompt)]
    left = leak(pairs, read(original, prompts), read(edited, prompts), weights, prefixes)
    return tuple(fmean(leaks) if leaks else None for leaks in _by_concept(left, pairs, count))
