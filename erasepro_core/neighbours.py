"""Neighbours: names of the same kind that are near a target in the model's own features, and must not move with it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, groupby

import torch
from torch import Tensor

from .align import content_positions, name_positions
from .concept import Concept, Request
from .encoded import Encoded, encode_prompts
from .families import TextInput
from .kinds import Kind
from .mention import Mentions
from .path import TextPath
from .phrase import key
from .solve import wide

SYNONYM = 0.6
"""A name with a higher score may be another name of the target; it is no neighbour."""
CANDIDATES = 330
"""At most so many names of a kind are compared: each is a prompt to encode."""
COUNT = 130
"""How many neighbours of each kind are chosen."""
PROBE = 4
"""Every fourth neighbour is a probe: it takes no part in the solve, and drift is measured on it."""
ALIKE = 12
"""How many names of each kind that share tokens with a target are held in several sentences, and measured as well."""


@dataclass(frozen=True)
class Neighbour:
    """A name that must not move."""

    name: str
    score: float
    """Cosine to the nearest target, 1 for the same features."""
    concept: int
    """Index of the first concept of its kind: its sentences are used."""
    alike: bool = False
    """Whether it shares a token with a target, so that the first layers cannot tell the two apart by that token."""


@torch.no_grad()
def find_neighbours(request: Request, path: TextPath) -> tuple[Neighbour, ...]:
    """The names nearest to the targets, for each kind of concept, the nearest first.

    Candidates are the names that the kind knows, in the language of the targets first. The score of a candidate is the
    cosine between its features and those of a target, without what all candidates share.
    """
    by_kind = sorted(enumerate(request.concepts), key=lambda each: each[1].kind.name)
    found: list[Neighbour] = []
    for _, group in groupby(by_kind, key=lambda each: each[1].kind.name):
        indices, concepts = zip(*group, strict=True)
        found += _of_kind(request, concepts[0].kind, indices[0], concepts, path)
    return tuple(found)


def fitted(neighbours: Sequence[Neighbour]) -> list[Neighbour]:
    """Those whose features weigh the size of an update."""
    return [each for n, each in enumerate(neighbours, start=1) if n % PROBE or each.alike]


def probed(neighbours: Sequence[Neighbour]) -> list[Neighbour]:
    """Those on which drift is measured."""
    return [each for n, each in enumerate(neighbours, start=1) if n % PROBE == 0 or each.alike]


def _of_kind(request: Request, kind: Kind, index: int, concepts: Sequence[Concept], path: TextPath) -> list[Neighbour]:
    targets = [name for concept in concepts for name in concept.names]
    forms = [form for concept in request.concepts for form, _ in request.forms(concept).values()]
    languages = dict.fromkeys(language for concept in concepts for language in concept.said_in)
    names = kind.names_in(languages)[:CANDIDATES]
    candidates = others(kind, names, [*request.phrases, *forms])
    if not candidates:
        return []
    encoded = encode_prompts(path, [*targets, *candidates], padding=0)
    scores = torch.stack([_cosines(encoded, i, targets, candidates) for i in path.inputs]).mean(0).amax(0)
    near = {n: s for n, s in zip(candidates, scores.tolist(), strict=True) if s < SYNONYM}
    alike = _alike(encoded, targets, list(near))
    nearest = sorted(near, key=lambda name: -near[name])
    chosen = [*nearest[:COUNT], *(name for name in nearest[COUNT:] if name in alike)]
    return [Neighbour(name, near[name], index, name in alike) for name in chosen]


def _alike(encoded: Encoded, targets: Sequence[str], candidates: Sequence[str]) -> set[str]:
    """The candidates that share most tokens with a target; a token that many of them have counts little."""
    shared = dict.fromkeys(candidates, 0.0)
    for encoder in encoded.encoders:
        tokens = {name: {*encoded.rows[name][encoder.name].words} for name in (*targets, *candidates)}
        common = Counter(chain.from_iterable(tokens[name] for name in candidates))
        of_targets = set().union(*(tokens[name] for name in targets))
        for name in candidates:
            shared[name] += sum(1 / common[token] for token in tokens[name] & of_targets)
    return {name for name in sorted(candidates, key=lambda name: -shared[name])[:ALIKE] if shared[name]}


def others(kind: Kind, names: Sequence[str], phrases: Sequence[str]) -> list[str]:
    """Those of a kind's names that cannot mean a phrase: none is a part of the other, and no proper names end alike."""
    keys = {phrase: key(phrase) for phrase in phrases}
    any_phrase, ends = Mentions(phrases), {_plain(each) for each in keys.values() if kind.proper_names}

    def may_mean_one(name: str) -> bool:
        words = key(name).split()
        with_its_first_word = [phrase for phrase in phrases if words[0] in keys[phrase]]
        part_of_one = with_its_first_word and any(map(Mentions([name]).within, with_its_first_word))
        return _plain(words[-1]) in ends or any_phrase.within(name) or bool(part_of_one)

    return [name for name in names if not may_mean_one(name)]


def _plain(name: str) -> str:
    """The last word of a name without its accents."""
    last = name.split()[-1]
    return "".join(each for each in unicodedata.normalize("NFKD", last) if not unicodedata.combining(each)) or last


def _cosines(encoded: Encoded, text_input: TextInput, targets: Sequence[str], candidates: Sequence[str]) -> Tensor:
    """Between targets and candidates, `[targets, candidates]`, as one input has them."""

    def features(names: Sequence[str]) -> Tensor:
        rows = [encoded.rows[name][text_input.source] for name in names]
        ends = [[name_positions(row)[-1], content_positions(row)[-1]] for row in rows]
        places = zip(names, ends, strict=True)
        return wide(encoded.at(text_input, places)).reshape(len(names), -1)

    others = features(candidates)
    mean = others.mean(0)
    near, far = (torch.nn.functional.normalize(part - mean, dim=1) for part in (features(targets), others))
    return (near @ far.T).cpu()
