"""Which start is solved from: a few are tried on a few sentences, and judged by leak and drift."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor

from .attempts import Attempt, Attempts
from .capture import edited
from .concept import PromptPair
from .encoded import Encoded, Prefixes, encode_prompts
from .measure import Weights, drift, leak
from .plan import Plan
from .prompts import some
from .schedule import deepest, layers_from
from .solution import FORGIVEN_LEAK, Trial

TRIED = 12
"""A start is judged by at most so many unseen prompts, and by so many of each group that must not move."""
ENOUGH = 0.01
"""A start that leaves and moves less than this is taken, and no other tried."""
MORE = 4 / 3
"""How much of the tolerance is tried besides, at the start that does best with just as much as was asked for."""
DIGITS = 3
"""Scores that agree in so many decimals are equal."""
PATIENCE = 2
"""After so many start depths in a row that do no better than the one before, no deeper one is tried."""
WORSE = 0.1
"""If the score on all sentences is so much above that on few, the solve on few is kept."""


@dataclass(frozen=True)
class Sample:
    """Some of the prompts that leak and drift are measured on, to judge a start by."""

    unseen: list[PromptPair]
    seen: list[PromptPair]
    groups: list[list[str]]
    """Of prompts that must not move; see `Plan.groups` and `Plan.apart`."""
    prefixes: Prefixes

    @classmethod
    def of(cls, plan: Plan, left: Sequence[PromptPair] = ()) -> Sample:
        """At most `TRIED` of each, and of those pairs that the tables are known to leave."""
        groups = [some(list(group), TRIED) for group in (*plan.groups.values(), *plan.apart)]
        return cls([*some(plan.unseen, TRIED), *some(left, TRIED)], some(plan.few_pairs, TRIED), groups, plan.prefixes)

    def among(self, prompts: Container[str]) -> Sample:
        """The same without what must not move and is not among some prompts."""
        groups = ([prompt for prompt in group if prompt in prompts] for group in self.groups)
        return replace(self, groups=[group for group in groups if group])

    @property
    def prompts(self) -> list[str]:
        """All that an edited model must encode."""
        return [*(pair.target_prompt for pair in (*self.unseen, *self.seen)), *chain(*self.groups)]

    def trial(
        self, start: int, before: Encoded, after: Encoded, weights: Weights, *, table: bool, share: float = 1.0
    ) -> Trial:
        """Leak and drift of a start.

        Args:
            start: the start depth.
            before, after: the prompts in the original model and in the edited one.
            weights: one for all that read an input.
            table: whether the tables change.
            share: of the tolerance.
        """
        pairs = self.unseen, self.seen
        left = max(_rms(leak(each, before, after, weights, self.prefixes)) for each in pairs)
        moved = [drift(group, before, after, weights).mean() for group in self.groups]
        return Trial(start, left, _rms(torch.stack(moved)) if moved else 0.0, table, share)


@dataclass(frozen=True)
class Trials:
    """The starts that were tried, and those still to try."""

    attempts: Attempts
    weights: Weights
    """One for all that read an input."""
    sample: Sample
    tried: list[tuple[Trial, Attempt]]

    def best_of(self, starts: Sequence[int]) -> tuple[Attempt, Trial, tuple[Trial, ...]]:
        """Tries starts on few sentences, and solves from the best of them on all.

        Whether the tables change is decided at the first start depths; deeper ones are tried that way alone. From a
        start depth that is too deep, deeper ones do worse and worse: after `PATIENCE` that did no better than the one
        before no more are tried, but for leaving the text encoders alone, which costs next to nothing. `MORE` of the
        tolerance is tried at the start depth that does best, and at every one where too much is left. What is solved on
        all sentences is measured once more: rarely it moves much more than on few, and those are kept then.
        """
        plan, encoders = self.attempts.plan, self.attempts.encoders
        tables, first = bool(self.attempts.swaps), starts[0]
        few = self.attempts.several and len(plan.few) < len(plan.pairs)
        if tables:
            self._try(deepest(encoders), table=True, share=0.0, few=few)
            self._try(deepest(encoders), table=True, few=few)
            for start in starts[:2]:
                self._try(start, table=True, few=few)
        self._try(first, table=False, few=few)
        table = self.best[0].table
        self._over(starts, table=table, few=few)
        layers = min((trial for trial, _ in self.tried if trial.share), key=lambda trial: trial.score, default=None)
        if self.attempts.several and layers is not None:
            self._try(layers.start, table=layers.table, share=MORE, few=few)
            self._over(starts if layers.leak > FORGIVEN_LEAK else [], table=table, share=MORE, few=few)
        trial, best = self.best
        if few:
            whole = self.attempts.attempt(best.start, table=best.table, share=best.share)
            best = whole if self._measured(whole).score <= trial.score + WORSE else best
        return best, trial, tuple(trial for trial, _ in self.tried)

    def _over(self, starts: Sequence[int], *, table: bool, few: bool, share: float = 1.0) -> None:
        """Tries start depths in their order, until deeper ones do worse and worse."""
        worse, before = 0, float("inf")
        for start in starts:
            if worse < PATIENCE or not layers_from(self.attempts.encoders, start):
                score = self._try(start, table=table, share=share, few=few)
                worse, before = 0 if score < before else worse + 1, score

    @property
    def best(self) -> tuple[Trial, Attempt]:
        """The best so far; of those that do equally well the first, which changes least."""
        return min(self.tried, key=lambda each: round(each[0].score, DIGITS))

    def _try(self, start: int, *, table: bool, few: bool, share: float = 1.0) -> float:
        """Tries a start, unless it was tried or nothing is left to gain; returns its score, endless if unknown."""
        known = {(trial.start, trial.table, trial.share): trial for trial, _ in self.tried}
        if (start, table, share) not in known:
            if known and self.best[0].score <= ENOUGH:
                return float("inf")
            attempt = self.attempts.attempt(start, table=table, share=share, few=few)
            known[start, table, share] = self._measured(attempt)
            self.tried.append((known[start, table, share], attempt))
        return round(known[start, table, share].score, DIGITS)

    def _measured(self, attempt: Attempt) -> Trial:
        """Leak and drift of an attempt, whose updates go to main memory behind it."""
        known, path = self.attempts.known(attempt.table), self.attempts.path_of(attempt.table)
        after = known.only(self.sample.prompts)
        if attempt.updates:
            with edited({path.module(name): update for name, update in attempt.updates.items()}):
                after = encode_prompts(path, self.sample.prompts, known=attempt.encoded)
            attempt.put_away()
        after = after.changed({i.name: context.update for context in attempt.contexts for i in context.inputs})
        before = self.attempts.original.encoded
        return self.sample.trial(attempt.start, before, after, self.weights, table=attempt.table, share=attempt.share)


def _rms(values: Tensor) -> float:
    """Root mean square: a large one counts for more than a few small ones, and does not decide alone."""
    return float(values.square().mean().sqrt())
