"""A start depth, solved: one forward pass, in which layers are solved as their inputs arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from .capture import CapturedLayer, Columns, captured, take
from .encoded import Encoded, by_prompt
from .families import Encoder, TextInput
from .methods import Solver
from .options import Options
from .original import Original
from .path import Features, TextPath
from .plan import Plan
from .progress import Phase, Steps
from .prompts import unique
from .schedule import ScheduledLayer, layers_from
from .solution import LayerRecord, Side
from .solve import RightFactor, restoring_update, summed
from .stays import wide
from .table import SwappedPath, Swaps
from .update import LowRankUpdate

STILL = 1e-4
"""What must not move counts as unmoved where it moved by less than this share."""


@dataclass(frozen=True)
class Context:
    """What the linears that read one input, or several, shall do to it."""

    inputs: Sequence[TextInput]
    concept: Tensor
    """`[n]`: which concept each target column belongs to."""
    gap: Tensor
    """`[d, n]`: between targets and anchors, before anything was changed."""
    required: Tensor
    """`[d, n]`: what is left of it behind the text encoders."""
    update: LowRankUpdate
    """On features: each linear's own update is its weight times this."""
    factor: RightFactor


@dataclass(frozen=True)
class Attempt:
    """One start depth, solved."""

    start: int
    table: bool
    """Whether the tables change before."""
    share: float
    """See `Trial.share`."""
    updates: dict[str, LowRankUpdate]
    records: list[LayerRecord]
    contexts: list[Context]
    encoded: Encoded | None = None
    """What the text encoders with these updates made of the sentences it was solved on; None where nobody ran them so.
    """

    def put_away(self) -> None:
        """Moves the updates to main memory; until then they are where the model runs."""
        self.updates.update({name: update.in_main_memory() for name, update in self.updates.items()})


@dataclass(frozen=True)
class Attempts:
    """All that the start depths of one solve share."""

    path: TextPath
    plan: Plan
    options: Options
    encoders: Sequence[Encoder]
    """Those that may change."""
    groups: Sequence[Sequence[TextInput]]
    """The inputs whose layers may change, those with the same layers together."""
    original: Original
    step: Steps
    swaps: Swaps
    """Tokens whose rows may change in the tables."""
    swapped: Encoded | None
    """Features of some prompts with the tables changed and nothing else."""
    several: bool
    """Whether starts are tried. Then each block has its own share of the tolerance; a single start has all of it in
    every block."""
    solvers: dict[str, Solver] = field(default_factory=dict)
    """By what reads the features that must not move; prepared once for all start depths."""

    def path_of(self, table: bool) -> TextPath:
        """The model, with its tables as they will be or as they are."""
        return SwappedPath(self.path, self.swaps) if table else self.path

    def attempt(self, start: int, *, table: bool, share: float = 1.0, few: bool = False) -> Attempt:
        """Solves from one start depth on.

        Args:
            start: the depth.
            table: whether the tables change before.
            share: of the tolerance; see `Trial.share`.
            few: whether on the first sentences of every name alone.
        """
        if not share:
            return Attempt(start, table, share, {}, [], [])
        plan, layers = self.plan, layers_from(self.encoders, start)
        prompts = unique(pair.target_prompt for pair in (plan.few_pairs if few else plan.pairs))
        rows, known = [plan.row_of[prompt] for prompt in prompts], self.known(table)
        follows = bool(layers) and not few and self.options.schedule.carries
        rows = list(dict.fromkeys([*rows, *plan.followed])) if follows else rows
        work = _Pass(self, plan.places(rows), few, follows, share, {layer.name: layer for layer in layers})
        if not layers and known.has(prompts):
            features = known.together(prompts)
        else:
            with captured([layer.captured(self.path, work.listened(layer)) for layer in layers], work.on_layer):
                read = [plan.rows[row] for row in rows], [plan.padding[row] for row in rows]
                features = self.path_of(table).encode(*read)
        contexts = [work.context(features, group) for group in self.groups]
        encoded = self._encoded(prompts, features, table) if self.options.schedule.carries else None
        return Attempt(start, table, share, work.updates, list(work.records.values()), contexts, encoded)

    def _encoded(self, prompts: Sequence[str], features: Features, table: bool) -> Encoded:
        path = self.path_of(table)
        each = ({name: part[n] for name, part in features.items()} for n in range(len(prompts)))
        rows = dict(zip(prompts, path.tokenize(prompts), strict=True))
        return by_prompt(path, rows, dict(zip(prompts, each, strict=True)))

    def known(self, table: bool) -> Encoded:
        """What was encoded before any layer changed, with the tables as they will be or as they are."""
        return self.swapped if table and self.swapped else self.original.encoded

    def solver(self, names: Sequence[str], like: Tensor) -> Solver:
        """The solver for layers that read these inputs or share this layer's, prepared when it is first asked for."""
        key = "+".join(names)
        if key not in self.solvers:
            first, *more = (self.original.stays.pop(name) for name in names)
            stays = (
                {role: torch.cat([part[role] for part in (first, *more)], dim=1) for role in first} if more else first
            )
            self.solvers[key] = self.options.method.solver(stays, like=like, weight=self.options.preserve_strength)
        return self.solvers[key]


@dataclass
class _Pass:
    """State of one forward pass in which layers are solved as their inputs arrive."""

    shared: Attempts
    place: Tensor
    """Where the rows of the plan stand in it; see `Plan.places`."""
    few: bool
    follows: bool
    """Whether what must not move is in it too, so that each layer gives back what those before it took."""
    share: float
    """See `Trial.share`."""
    layers: Mapping[str, ScheduledLayer]
    updates: dict[str, LowRankUpdate] = field(default_factory=dict)
    records: dict[str, LayerRecord] = field(default_factory=dict)
    _factors: dict[str, RightFactor] = field(default_factory=dict)

    def targets(self, source: str) -> Columns:
        """Where the target tokens of an encoder stand in this pass."""
        rows, positions = self.shared.plan.tokens[source].target
        chosen = self._chosen(source)
        return self.place[rows[chosen]], positions[chosen]

    def listened(self, layer: ScheduledLayer) -> Columns:
        """Where a layer is listened to: the target tokens, and behind them those that are followed."""
        rows, positions = self.targets(layer.encoder)
        if self.follows and layer.stream is not None:
            more, places = self.shared.plan.tokens[layer.encoder].followed
            rows, positions = torch.cat([rows, self.place[more]]), torch.cat([positions, places])
        return rows, positions

    def on_layer(self, layer: CapturedLayer, features: Tensor, output: Tensor, written: Tensor) -> Tensor | None:
        """Solves a layer on the input it has just had; returns the output it would have had with its update."""
        name, place = layer.name, self.layers[layer.name]
        before, chosen = self.shared.original.layers[name], self._chosen(place.encoder)
        concept = self._concept(place.encoder)
        target, followed = take(features, layer.tokens).tensor_split([len(concept)], dim=1)
        written, now = written.tensor_split([len(concept)], dim=1)
        required, solver = before.anchor[:, chosen] - written, self.shared.solver([place.reads], target)
        solver, back = self._given_back(solver, place, followed, now)
        if place.reads not in self._factors:
            self._factors = {place.reads: self._factor(solver, target, concept, chosen, place.share)}
        factor = self._factors[place.reads]
        update = factor.update(required - back(target.T).T).plus(back)
        self.updates[name] = update
        where = Side.TEXT_ENCODER, name, place.depth
        self.records[name] = recorded(where, before.gap[:, chosen], required, concept, update, factor)
        self.shared.step(Phase.TRYING if self.few else Phase.SOLVING, name)
        if not self.shared.options.schedule.carries:
            return None
        output += update(features)
        return output

    def context(self, features: Features, inputs: Sequence[TextInput]) -> Context:
        """Solves for the linears that read some inputs."""
        target = torch.cat([take(features[i.name], self.targets(i.source)) for i in inputs], dim=1)
        before = [(self.shared.original.inputs[i.name], self._chosen(i.source)) for i in inputs]
        anchor = torch.cat([pair.anchor[:, chosen] for pair, chosen in before], dim=1)
        gap = torch.cat([pair.gap[:, chosen] for pair, chosen in before], dim=1)
        concept = torch.cat([self._concept(i.source) for i in inputs])
        chosen = torch.cat([chosen for _, chosen in before])
        factor = self._factor(self.shared.solver([i.name for i in inputs], target), target, concept, chosen, 1.0)
        return Context(inputs, concept, gap, anchor - target, factor.update(anchor - target), factor)

    def _given_back(
        self, solver: Solver, layer: ScheduledLayer, features: Tensor, now: Tensor
    ) -> tuple[Solver, LowRankUpdate]:
        """What gives back to what must not move what earlier layers took, and the solver that knows of both.

        Args:
            solver: of the layer, on the original features.
            layer: which.
            features, now: its input and what it gives at the tokens that are followed, `[d, n]`; none in a trial.
        """
        moved = self.shared.original.followed[layer.name] - now if now.shape[1] else now
        if moved.norm() <= STILL * now.norm():
            return solver, LowRankUpdate(now.new_zeros(len(now), 0), now.new_zeros(0, len(features)))
        parts = self.shared.plan.tokens[layer.encoder].parts
        weights = [torch.full((n,), (solver.parts[part] / max(n, 1)) ** 0.5) for part, n in parts.items()]
        weights = torch.cat(weights).to(features)
        solver = replace(solver, stays=solver.stays.averaged(features, weights))
        return solver, restoring_update(moved, features, weights, solver.stays)

    def _factor(self, solver: Solver, target: Tensor, concept: Tensor, chosen: Tensor, share: float) -> RightFactor:
        """Solves for layers with one input.

        The kept mixes are those of all target columns of the plan, `[all]`, of which the chosen ones are solved on.
        """
        tolerance = self.shared.options.tolerance * self.share * (share if self.shared.several else 1.0)
        factor = solver(target, concept, tolerance)
        kept = factor.kept.new_zeros(len(chosen), factor.kept.shape[1])
        kept[chosen.to(kept.device)] = factor.kept
        return replace(factor, kept=kept)

    def _chosen(self, source: str) -> Tensor:
        return self.shared.plan.chosen(source, self.few)

    def _concept(self, source: str) -> Tensor:
        return self.shared.plan.concept(source)[self._chosen(source)]


def recorded(
    place: tuple[Side, str, int],
    gap: Tensor,
    required: Tensor,
    concept: Tensor,
    update: LowRankUpdate,
    factor: RightFactor,
) -> LayerRecord:
    """What a layer needed and got.

    Args:
        place: its side, its name and its depth.
        gap, required: `[d_out, n]`, between targets and anchors before anything was changed, and now.
        concept: `[n]`, which concept each column belongs to.
        update: what it got.
        factor: what found it.
    """
    gaps = summed(wide(gap).square().sum(0), concept).sqrt()
    return LayerRecord(
        *place,
        gap=float(gaps.norm()),
        required=float(required.norm()),
        size=update.norm(),
        rank=factor.rank,
        condition=factor.condition,
        kept=factor.kept.cpu(),
        trim_budget=factor.trim_budget(gaps),
    )
