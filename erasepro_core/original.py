"""What the original model makes of the prompts of a plan; each is encoded once, and later passes compare with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, cast

import torch
from torch import Tensor

from .capture import CapturedLayer, Columns, captured, take
from .encoded import Encoded, by_prompt
from .measure import Weights
from .methods import MEASURED, STAYS
from .path import Features, TextPath
from .plan import Plan
from .roles import Tokens
from .schedule import ScheduledLayer
from .stays import ROUNDED, rounded

PAIR = "target", "anchor"
"""The aligned tokens of prompt pairs, as `Tokens` calls them."""
ROOM = 1.4
"""How many times the size of what must not move is needed for it and for what is made of it."""


@dataclass(frozen=True)
class AlignedPair:
    """What something gives at the aligned tokens."""

    target: Tensor
    """`[d, n]`"""
    anchor: Tensor
    """`[d, n]`"""

    @property
    def gap(self) -> Tensor:
        """What the targets must gain to be at the anchors, `[d, n]`."""
        return self.anchor - self.target


@dataclass(frozen=True)
class Original:
    """The original model on the prompts of a plan."""

    encoded: Encoded
    """Features of the prompts that later ones are compared with."""
    layers: Mapping[str, AlignedPair]
    """By layer of the text encoders: its output, with the residual stream that it is added to."""
    inputs: Mapping[str, AlignedPair]
    """By input of the diffusion model: its features."""
    stays: dict[str, dict[str, Tensor]]
    """By layer that reads them, or by input: the features that must not move, `[d, n]` by the part they play. A solve
    takes them out, since they are most of the memory."""
    weights: Weights = field(default_factory=dict)
    """One for all that read an input; see `stand_in_weight`. Empty where only a check looks."""
    followed: Mapping[str, Tensor] = field(default_factory=dict)
    """By layer that writes to a residual stream: what both give at the tokens of `Tokens.followed`, `[d, n]`."""


class Observation:
    """The prompts of a plan in a model, a part at a time.

    Args:
        path: a model: the original one, or the edited one on the prompts that an erasure changes.
        plan: the prompts, and which of their tokens are read.
        layers: those of the text encoders that may change.
        stays: whether what must not move is kept too: it is most of the memory, and a check needs none of it.
    """

    def __init__(self, path: TextPath, plan: Plan, layers: Iterable[ScheduledLayer], *, stays: bool = True):
        self._path, self._plan, self._roles = path, plan, STAYS if stays else ()
        self._layers = {layer.name: layer for layer in layers}
        self._given = _Gathered()
        self._stay = _Gathered(in_main_memory=stays and not path.make_room(self._size()))
        self._features: dict[str, Mapping[str, Tensor]] = {}

    def _size(self) -> int:
        """How many bytes a solve needs for what layers of the text encoders give, and for what must not move there."""
        size = 0.0
        for layer in self._layers.values():
            tokens, linear = self._plan.tokens[layer.encoder], cast(Any, self._path.module(layer.name))
            size += torch.float32.itemsize * linear.out_features * tokens.count(self._roles_given(layer))
            if layer.reads == layer.name:
                size += ROOM * ROUNDED.itemsize * linear.in_features * tokens.count(self._roles)
        return round(size)

    @torch.no_grad()
    def see(self, parts: Iterable[Sequence[int]], tick: Callable[[], None] = lambda: None) -> Encoded:
        """Encodes some parts; returns the features of all prompts so far that later ones are compared with.

        Args:
            parts: the rows of each part; columns of rows that are in none are left out.
            tick: called after every part; what it raises ends the work.
        """
        parts = list(parts)
        coming = _Part(self._plan, [*chain(*parts)])
        for rows in parts:
            part = _Part(self._plan, rows, coming)
            listening = [part.listening(self._path, each, self._roles_given(each)) for each in self._layers.values()]
            with captured(listening, partial(self._on_layer, part)):
                read = self._path.encode([self._plan.rows[r] for r in rows], [self._plan.padding[r] for r in rows])
            for text_input in self._path.inputs:
                tokens, features = self._plan.tokens[text_input.source], read[text_input.name]
                self._given.add_given(text_input.name, part, tokens, take(features, part.columns(tokens, PAIR)), PAIR)
                self._stay.add(text_input.name, part, tokens, features, self._roles)
            self._features |= part.remembered(read)
            tick()
        rows = {prompt: self._plan.rows[self._plan.row_of[prompt]] for prompt in self._features}
        return by_prompt(self._path, rows, self._features)

    def _on_layer(self, part: _Part, layer: CapturedLayer, read: Tensor, output: Tensor, written: Tensor) -> None:
        place = self._layers[layer.name]
        tokens = self._plan.tokens[place.encoder]
        self._given.add_given(layer.name, part, tokens, written, self._roles_given(place))
        if place.reads == layer.name:
            self._stay.add(layer.name, part, tokens, read, self._roles)

    def _roles_given(self, layer: ScheduledLayer) -> tuple[str, ...]:
        """At which tokens it is kept what a layer gives."""
        return (*PAIR, "followed") if self._roles and layer.stream is not None else PAIR

    def whole(self) -> Original:
        """All that was seen."""
        given = self._given.whole()
        followed = {name: parts.pop("followed") for name, parts in given.items() if "followed" in parts}
        pairs = {name: AlignedPair(**parts) for name, parts in given.items()}
        names = {text_input.name for text_input in self._path.inputs}
        return Original(
            encoded=self.see([]),
            layers={name: pair for name, pair in pairs.items() if name not in names},
            inputs={name: pair for name, pair in pairs.items() if name in names},
            stays=self._stay.whole(),
            followed=followed,
        )


class _Part:
    """Some rows of a plan in one pass, and where the tokens that play a part stand in it."""

    def __init__(self, plan: Plan, rows: Sequence[int], coming: _Part | None = None):
        self._plan, self._rows, self._place = plan, rows, plan.places(rows)
        self.coming = coming or self
        """All of the round that it is a part of."""
        self._found: dict[int, tuple[Columns, Tensor]] = {}

    def here(self, columns: Columns) -> tuple[Columns, Tensor]:
        """Those of the columns of a plan that are in this part, and which they are; every layer asks for the same."""
        if (key := id(columns)) not in self._found:
            places = self._place[columns[0]]
            which = (places >= 0).nonzero()[:, 0]
            self._found[key] = (places[which], columns[1][which]), which
        return self._found[key]

    def columns(self, tokens: Tokens, roles: Iterable[str]) -> Columns:
        """The tokens in this part that play some roles, one role after the other."""
        rows, positions = zip(*(self.here(getattr(tokens, role))[0] for role in roles), strict=True)
        return torch.cat(rows), torch.cat(positions)

    def listening(self, path: TextPath, layer: ScheduledLayer, roles: Iterable[str]) -> CapturedLayer:
        """A layer that is listened to at these tokens."""
        return layer.captured(path, self.columns(self._plan.tokens[layer.encoder], roles))

    def remembered(self, features: Features) -> dict[str, Mapping[str, Tensor]]:
        """Features by prompt, then by input, of the prompts that are compared later."""
        prompts = [(place, self._plan.prompts[row]) for place, row in enumerate(self._rows)]
        return {
            prompt: {name: each[place].clone() for name, each in features.items()}
            for place, prompt in prompts
            if prompt in self._plan.compared
        }


class _Gathered:
    """Columns that come in by parts, by name and by the role they play.

    Args:
        in_main_memory: whether they are kept there, and not where the model runs.
    """

    def __init__(self, *, in_main_memory: bool = False) -> None:
        self._in_main_memory = in_main_memory
        self._found: dict[str, dict[str, _Columns]] = {}

    def add(self, name: str, part: _Part, tokens: Tokens, features: Tensor, roles: Iterable[str]) -> None:
        """Features of what plays some roles."""
        for role in roles:
            found = take(features, part.here(getattr(tokens, role))[0])
            self._keep(name, role, part, tokens, rounded(found) if role in MEASURED else found)

    def add_given(self, name: str, part: _Part, tokens: Tokens, columns: Tensor, roles: Sequence[str]) -> None:
        """What stands at the tokens that play some roles, as `_Part.columns` orders them."""
        counts = [len(part.here(getattr(tokens, role))[1]) for role in roles]
        for role, found in zip(roles, columns.split(counts, dim=1), strict=True):
            self._keep(name, role, part, tokens, found)

    def _keep(self, name: str, role: str, part: _Part, tokens: Tokens, columns: Tensor) -> None:
        places = getattr(tokens, role)
        kept = self._found.setdefault(name, {}).setdefault(role, _Columns())
        columns = columns.cpu() if self._in_main_memory else columns
        kept.add(columns, part.here(places)[1], part.coming.here(places)[1])

    def whole(self) -> dict[str, dict[str, Tensor]]:
        """All columns in their order, `[d, n]`; they are given away, since they are most of the memory of a solve."""
        found = {}
        for name in list(self._found):  # one after the other, so that of one alone there are two copies at a time
            roles = self._found.pop(name)
            found[name] = {role: roles.pop(role).whole() for role in list(roles)}
        return found


class _Columns:
    """Columns that come in by parts; those of a round have one room, no larger than they need."""

    def __init__(self) -> None:
        self._rounds: list[Tensor] = []
        self._rooms: list[Tensor] = []
        self._left = 0

    def add(self, columns: Tensor, which: Tensor, coming: Tensor) -> None:
        """Some of them.

        Args:
            columns: `[d, some]`
            which: `[some]`: which of all they are.
            coming: which come in this round, in their order.
        """
        if not self._rooms or len(which) > self._left:
            self._rounds.append(coming)
            self._rooms.append(columns.new_empty(len(coming), len(columns)))
            self._left = len(coming)
        self._rooms[-1][torch.searchsorted(coming, which).to(columns.device)] = columns.T
        self._left -= len(which)

    def whole(self) -> Tensor:
        """All that came in, in their order, `[d, n]`."""
        first, *more = [room for room in self._rooms if len(room)] or self._rooms
        if not more:
            return first.T
        order = torch.cat(self._rounds).argsort().argsort()
        found = first.new_empty(len(order), first.shape[1])
        for places in order.split([len(coming) for coming in self._rounds]):
            found[places.to(found.device)] = self._rooms.pop(0)
        return found.T
