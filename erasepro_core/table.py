"""The table of token embeddings: the shallowest linear layer of a text encoder, and the one whose features are one-hot.

`W X = W_o Y` holds exactly there once the row of a token that only a target uses is the row of the token that answers
it in the anchor. Nothing else moves. It reaches what is said in these tokens, and nothing else: a synonym has others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from .align import TokenRow, common
from .concept import Concept, Request
from .path import Features, Rows, TextPath
from .update import RowUpdate

DEPTH = -1
"""The depth of a table, before the first block."""
CONTEXTS = ("", "of ")
"""What stands before a word decides its token in encoders that count a space to the word."""


@dataclass(frozen=True)
class Swaps:
    """Tokens that only targets use, each with the token whose row it shall get."""

    tokens: Mapping[str, Mapping[int, int]]
    """By encoder."""
    words: tuple[str, ...]
    """What these tokens say."""

    def __bool__(self) -> bool:
        return any(self.tokens.values())

    def updates(self, path: TextPath) -> dict[str, RowUpdate]:
        """The updates of the tables of a model, by layer name; rows that are equal already are left out."""
        found = {}
        for encoder in path.encoders:
            tokens = self.tokens.get(encoder.name)
            if tokens and encoder.table:
                targets, anchors = torch.tensor(list(tokens)), torch.tensor(list(tokens.values()))
                # Read once: a table is the largest weight of an encoder.
                before, wanted = path.embeddings(encoder, [*tokens, *tokens.values()]).cpu().chunk(2)
                new = (wanted != before).any(1)
                if new.any():
                    sources, height = tuple(anchors[new].tolist()), path.table_height(encoder)
                    found[encoder.table] = RowUpdate(targets[new], (wanted - before)[new], height, sources)
        return found


NO_SWAPS = Swaps({}, ())


class SwappedPath:
    """A model as it is once its tables are changed: it reads for each token the one whose row that gets."""

    def __init__(self, path: TextPath, swaps: Swaps):
        self._path, self._swaps = path, swaps
        self.family, self.encoders, self.inputs = path.family, path.encoders, path.inputs
        self.tokenize, self.module, self.conditioned = path.tokenize, path.module, path.conditioned
        self.embeddings, self.table_height = path.embeddings, path.table_height

    def encode(self, rows: Sequence[Rows], padding: Sequence[int | None] | None = None) -> Features:
        """See `TextPath.encode`."""
        return self._path.encode([self._swapped(row) for row in rows], padding)

    def _swapped(self, rows: Rows) -> Rows:
        return {name: _replaced(row, self._swaps.tokens.get(name, {})) for name, row in rows.items()}


def _replaced(row: TokenRow, tokens: Mapping[int, int]) -> TokenRow:
    return replace(row, ids=tuple(tokens.get(token, token) for token in row.ids)) if tokens else row


def own_tokens(request: Request, path: TextPath, stays: Iterable[str], forms: bool = True) -> Swaps:
    """The tokens that only targets use, among those that are a whole word.

    A piece of a word belongs to every word that has it, so it stays. So does a token that two concepts send to
    different anchors, and every token of a prompt or a name that must not move.

    Args:
        request: what to erase.
        path: the model.
        stays: all that must not move.
        forms: whether forms of the names that are not listed change too.
    """
    used: dict[str, set[int]] = {encoder.name: set() for encoder in path.encoders if encoder.table}
    for row in path.tokenize(list(stays)):
        for name, tokens in used.items():
            tokens.update(row[name].ids[row[name].start : row[name].end])
    found: dict[str, dict[int, set[int]]] = {name: {} for name in used}
    said: dict[tuple[str, int], str] = {}
    for concept in request.concepts:
        for name, anchor in _said(concept, request, forms):
            for encoder, word, target, instead in _answers(path, name.split(), anchor.split()):
                if encoder in used and target not in used[encoder] and target != instead:
                    found[encoder].setdefault(target, set()).add(instead)
                    said.setdefault((encoder, target), word)
    clear = {
        name: {t: anchors.pop() for t, anchors in each.items() if len(anchors) == 1} for name, each in found.items()
    }
    return Swaps(clear, tuple(dict.fromkeys(word for (name, token), word in said.items() if token in clear[name])))


def _said(concept: Concept, request: Request, forms: bool) -> Iterator[tuple[str, str]]:
    """Each name and, where it is a common noun, its other number, with the anchor in the same form."""
    for name in concept.names:
        yield name, concept.anchor
    if forms and concept.anchor and not concept.kind.proper_names:
        yield from request.forms(concept).values()


def _answers(path: TextPath, name: Sequence[str], anchor: Sequence[str]) -> Iterator[tuple[str, str, int, int]]:
    """Encoder, word, its one token, and the token that answers it: last to last, extra words to the anchor's first."""
    for context in CONTEXTS if anchor else ():
        targets, anchors = _spans(path, context, name), _spans(path, context, anchor)
        for encoder in targets:
            for place, tokens in enumerate(targets[encoder]):
                instead = anchors[encoder][max(0, len(anchor) - len(name) + place)]
                if len(tokens) == 1 and instead:
                    yield encoder, name[place], tokens[0], instead[-1]


def _spans(path: TextPath, context: str, words: Sequence[str]) -> dict[str, list[tuple[int, ...]]]:
    """The tokens of each word behind a context, by encoder; none for a word that changes the tokens before it."""
    rows = path.tokenize([(context + " ".join(words[:count])).strip() for count in range(len(words) + 1)])
    ids = {e.name: [row[e.name].ids[row[e.name].start : row[e.name].end] for row in rows] for e in path.encoders}
    return {name: [_added(*pair) for pair in pairwise(each)] for name, each in ids.items()}


def _added(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[int, ...]:
    return after[len(before) :] if common(before, after) == len(before) else ()
