"""The batch of one solve: every prompt in it, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .concept import FIRST, Concept, ConceptError, PromptPair, Request, both_prompts
from .encoded import Prefixes, in_parts, matched
from .neighbours import Neighbour
from .options import Options
from .path import Rows, TextPath
from .prompts import Prompts, unique
from .roles import Roles, Tokens, sources

FEW, FEW_IN_ALL = 8, 80
"""Sentences of a name that start depths are tried with, and of all names together, of which each has one at least; the
start depth that is chosen is solved with all."""
SENTENCES_IN_ALL, UNSEEN_IN_ALL = 280, 100
"""Sentences of all names together that are solved on, and that leak is measured in, of which each name has the first
four at least. The first sentences of a name do nearly all, and many names leave no room for more (docs/decisions/0071).
"""
MOST_SENTENCES, MOST_UNSEEN = 2000, 1000
"""The same for hundreds of names, of which each has one at least: what a solve encodes are these (docs/decisions/0086).
"""
FORMS = 7
"""One in so many sentences of a name is solved on with its form too: forms shall not cost the name itself its room."""


@dataclass(frozen=True)
class Plan:
    """The batch of prompts of one solve, and which of its tokens play which part."""

    rows: tuple[Rows, ...]
    padding: tuple[int | None, ...]
    """How many padding tokens behind its end are read of each row; None for all."""
    row_of: Mapping[str, int]
    """Row by prompt."""
    tokens: Mapping[str, Tokens]
    """By encoder, and by pooled vector."""
    pairs: tuple[PromptPair, ...]
    """What is solved on: listed names first, forms of them behind."""
    named: tuple[PromptPair, ...]
    """Those of listed names."""
    few: frozenset[int]
    """Those of the pairs that start depths are tried with."""
    unseen: tuple[PromptPair, ...]
    groups: Mapping[str, Mapping[str, str]]
    """Prompts whose drift is measured, by name of the group; each with what it is about."""
    apart: tuple[tuple[str, ...], ...]
    """Parts of these groups that a start is judged by on their own, since they are hard to hold: words of compounds
    beside other words, and names that share tokens with a target."""
    prefixes: Prefixes
    stays: tuple[str, ...]
    """Every prompt and name that must not move."""
    known: tuple[str, ...]
    """Names of any kind: of these, words that are one token do not move."""
    asked: tuple[str, ...]
    """Of the former, what a person named."""

    @cached_property
    def few_pairs(self) -> list[PromptPair]:
        """Those of the pairs that start depths are tried with."""
        return [pair for index, pair in enumerate(self.pairs) if index in self.few]

    def parts(self, prompts: Iterable[str]) -> list[list[int]]:
        """Which rows of some prompts are encoded together where they need not be all at once."""
        rows = [self.row_of[prompt] for prompt in prompts]
        found = in_parts([self.rows[row] for row in rows], [self.padding[row] for row in rows])
        return [[rows[index] for index in part] for part in found]

    @cached_property
    def followed(self) -> list[int]:
        """The rows that are followed through the layers that change, though they must not move."""
        return sorted({row for tokens in self.tokens.values() for row in tokens.followed[0].tolist()})

    @cached_property
    def edited(self) -> list[str]:
        """The prompts that an erasure changes and that are compared."""
        return unique([*(pair.target_prompt for pair in self.pairs), *self.measured])

    @cached_property
    def others(self) -> list[str]:
        """The prompts whose features are not compared later: most everyday ones."""
        return [prompt for prompt in self.row_of if prompt not in self.compared]

    @cached_property
    def measured(self) -> list[str]:
        """The prompts that an erasure changes and leak and drift are measured on."""
        return unique([*(pair.target_prompt for pair in self.unseen), *(p for g in self.groups.values() for p in g)])

    @cached_property
    def watched(self) -> Mapping[str, Rows]:
        """Rows of the prompts that only their drift is measured of, by prompt; some targets are measured too."""
        pairs = {*both_prompts([*self.pairs, *self.unseen])}
        prompts = unique(prompt for group in self.groups.values() for prompt in group)
        return {prompt: self.rows[self.row_of[prompt]] for prompt in prompts if prompt not in pairs}

    @cached_property
    def prompts(self) -> list[str]:
        """Every prompt, in the order of the rows."""
        return list(self.row_of)

    @cached_property
    def compared(self) -> Mapping[str, None]:
        """The prompts whose features are compared later, in a fixed order."""
        return dict.fromkeys([*both_prompts([*self.pairs, *self.unseen]), *self.measured])

    def places(self, rows: Sequence[int]) -> Tensor:
        """Where each row of the plan stands in a batch of some rows, `[all rows]`; -1 where it is not among them."""
        found = torch.full((len(self.rows),), -1)
        found[list(rows)] = torch.arange(len(rows))
        return found

    def concept(self, source: str) -> Tensor:
        """Which concept each target token of an encoder belongs to, `[n]`."""
        return torch.tensor([pair.concept for pair in self.pairs])[self.tokens[source].pair]

    def chosen(self, source: str, few: bool) -> Tensor:
        """Which of them are solved on, `[n]` bool: those of all pairs, or of few."""
        pair = self.tokens[source].pair
        return torch.isin(pair, torch.tensor(sorted(self.few))) if few else torch.ones_like(pair, dtype=torch.bool)


def make_plan(request: Request, options: Options, path: TextPath, neighbours: Sequence[Neighbour]) -> Plan:
    """Lays out every prompt of a solve as one batch.

    Raises:
        ConceptError: two names that must differ are the same tokens to this model.
        ValueError: a prompt does not fit into one chunk.
    """
    method = options.method
    count, long = method.sentences(options.templates), path.family.long_prompts
    names = len(request.names) - sum(len(concept.other_cases) for concept in request.concepts)
    count = min(count, _shared(names, SENTENCES_IN_ALL, MOST_SENTENCES))
    pairs = request.pairs(count, long)
    named = len(pairs)
    if options.forms and method.forms:
        pairs += _of_forms(request, max(1, count // FORMS), long)
    unseen = request.unseen_pairs(_shared(len(request.names), UNSEEN_IN_ALL, MOST_UNSEEN))
    both, prefixes = matched(path, [*pairs, *unseen])
    pairs, unseen = both[: len(pairs)], both[len(pairs) :]
    prompts = Prompts(request, pairs, unseen, neighbours, method.preserve_sentences, long)
    every = prompts.all()
    rows = path.tokenize(every)
    row_of = {prompt: index for index, prompt in enumerate(every)}
    known = dict(zip(every, rows, strict=True))
    _refuse_same_tokens(pairs[:named], known)
    roles = Roles(pairs, prompts, options, prefixes, known, row_of)
    tokens = {name: roles.tokens(name, source) for name, source in sources(path, known[""]).items()}
    return Plan(
        rows=tuple(rows),
        padding=tuple(roles.padding(prompt) for prompt in every),
        row_of=row_of,
        tokens=tokens,
        pairs=tuple(pairs),
        named=tuple(pairs[:named]),
        few=_few(pairs[:named], min(FEW, max(1, FEW_IN_ALL // names))),
        unseen=tuple(unseen),
        groups=prompts.groups,
        apart=tuple(map(tuple, prompts.apart)),
        prefixes=prefixes,
        stays=tuple(prompts.stays()),
        known=tuple(prompts.known()),
        asked=tuple(prompts.asked()),
    )


def _shared(names: int, in_all: int, most: int) -> int:
    """How many sentences each of some names has."""
    return max(1, min(max(FIRST, in_all // names), most // names))


def _of_forms(request: Request, count: int, long: bool) -> list[PromptPair]:
    """Prompt pairs of the forms of common nouns.

    The possessive of a proper name is measured only: it has the tokens of the name, and costs drift (decision 0054).
    """

    def sentences(concept: Concept, name: str) -> list[str]:
        return [] if concept.kind.proper_names else request.templates(concept, name, long)[:count]

    return [pair for _, pair in request.form_pairs(sentences)]


def _few(pairs: Sequence[PromptPair], count: int) -> frozenset[int]:
    """The pairs of the first few sentences of each name."""
    seen: Counter[tuple[int, str]] = Counter()
    found: list[int] = []
    for index, pair in enumerate(pairs):
        seen[pair.concept, pair.target] += 1
        if seen[pair.concept, pair.target] <= count:
            found.append(index)
    return frozenset(found)


def _refuse_same_tokens(pairs: Sequence[PromptPair], rows: Mapping[str, Rows]) -> None:
    """Raises ConceptError for two spellings of one thing, which only the tokenizers can tell."""
    owner: dict[tuple, PromptPair] = {}

    def ids(prompt: str) -> tuple:
        return tuple(row.ids for row in rows[prompt].values())

    for pair in pairs:
        target, anchor = ids(pair.target_prompt), ids(pair.anchor_prompt)
        if target == anchor:
            raise ConceptError(
                f"the tokenizer of this model reads {pair.target!r} and {pair.anchor!r} as the same tokens, so nothing "
                "would change. Name another anchor."
            )
        other = owner.setdefault(target, pair)
        if other.concept != pair.concept and ids(other.anchor_prompt) != anchor:
            raise ConceptError(
                f"the tokenizer of this model reads {other.target!r} and {pair.target!r} of two concepts as the same "
                f"tokens, but they are asked to become {other.anchor!r} and {pair.anchor!r}. Keep one of the two."
            )
