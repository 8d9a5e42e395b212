"""The table of token embeddings: the shallowest linear layer of a text encoder, and the one whose features are one-hot.

`W X = W_o Y` holds exactly there once the row of a token that only a target uses is the row of the token that answers
it in the anchor. Nothing else moves. It reaches what is said in these tokens, and nothing else: a synonym has others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
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


FEW_USES = 0.03
"""A token that is all of a name may change if at most this share of what must not move has it in another word."""

Word = tuple[str, tuple[int, ...]]
"""A word, and its tokens."""
Answers = dict[int, dict[int, int]]
"""By token, then by concept: the token that answers it."""


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
                    sources, height = tuple(anchors[new].tolist()), path.table_size(encoder)[0]
                    found[encoder.table] = RowUpdate(targets[new], (wanted - before)[new], height, sources)
        return found


NO_SWAPS = Swaps({}, ())


class SwappedPath:
    """A model as it is once its tables are changed: it reads for each token the one whose row that gets."""

    def __init__(self, path: TextPath, swaps: Swaps):
        self._path, self._swaps = path, swaps
        self.family, self.encoders, self.inputs = path.family, path.encoders, path.inputs
        self.module, self.conditioned = path.module, path.conditioned
        self.embeddings, self.table_size = path.embeddings, path.table_size

    def tokenize(self, prompts: Sequence[str], emphasis: bool = False) -> list[Rows]:
        """See `TextPath.tokenize`; many prompts have the same rows here, and are encoded once."""
        return [self._swapped(row) for row in self._path.tokenize(prompts, emphasis)]

    def encode(self, rows: Sequence[Rows], padding: Sequence[int | None] | None = None) -> Features:
        """See `TextPath.encode`."""
        return self._path.encode([self._swapped(row) for row in rows], padding)

    def _swapped(self, rows: Rows) -> Rows:
        return {name: _replaced(row, self._swaps.tokens.get(name, {})) for name, row in rows.items()}


def _replaced(row: TokenRow, tokens: Mapping[int, int]) -> TokenRow:
    return replace(row, ids=tuple(tokens.get(token, token) for token in row.ids)) if tokens else row


def own_tokens(
    request: Request,
    path: TextPath,
    stays: Sequence[str],
    known: Sequence[str] = (),
    asked: Sequence[str] = (),
    forms: bool = True,
) -> Swaps:
    """The tokens that only targets use: whole words, and pieces of words.

    Every token of a prompt or a name that must not move stays, and so does one that two concepts send to different
    anchors. The layers do what is left of such a name. A token that is all of a name changes even so where few prompts
    use it as a piece of another word, as `sunflower` does of `sun`: to leave it would leave the whole name.

    Args:
        request: what to erase.
        path: the model.
        stays: all that must not move.
        known: names of which words that are one token must not move; in other names a piece means little.
        asked: of all that must not move, what a person named.
        forms: whether forms of the names that are not listed change too.
    """
    encoders = [encoder.name for encoder in path.encoders if encoder.table]
    uses = _uses(path, stays, encoders)
    words_used, named = _uses(path, known, encoders, pieces=False), _uses(path, asked, encoders)
    often = {
        name: {*named[name], *(token for token, count in each.items() if count > FEW_USES * len(stays))}
        for name, each in uses.items()
    }
    whole: dict[str, Answers] = {name: {} for name in encoders}
    pieces: dict[str, Answers] = {name: {} for name in encoders}
    words: dict[str, list[Word]] = {name: [] for name in encoders}
    for index, concept in enumerate(request.concepts):
        for name, anchor in _said(concept, request, forms):
            for context in CONTEXTS if anchor else ():
                targets, instead = (_words(path, context, each.split()) for each in (name, anchor))
                for encoder in encoders:
                    words[encoder] += targets[encoder]
                    found = _answers(targets[encoder], instead[encoder])
                    for token, answer in found:
                        alone = len(found) == 1
                        (whole if alone else pieces)[encoder].setdefault(token, {}).setdefault(index, answer)
    swaps = {
        name: _clear(pieces[name], {*uses[name], *words_used[name], *whole[name]}) | _clear(whole[name], often[name])
        for name in encoders
    }
    said = (_said_by(word, tokens, swaps[name]) for name, each in words.items() for word, tokens in each)
    return Swaps(swaps, tuple(filter(None, dict.fromkeys(said))))


def _uses(
    path: TextPath, prompts: Sequence[str], encoders: Sequence[str], pieces: bool = True
) -> dict[str, Counter[int]]:
    """How many of some prompts use each token, by encoder; without pieces, those of which every word is one token."""
    found: dict[str, Counter[int]] = {name: Counter() for name in encoders}
    for prompt, row in zip(prompts, path.tokenize(prompts), strict=True):
        for name, tokens in found.items():
            ids = row[name].words
            if pieces or len(ids) == len(prompt.split()):
                tokens.update({*ids})
    return found


def _clear(answers: Answers, used: Container[int]) -> dict[int, int]:
    """The answer of each token that nobody else uses and that all its concepts answer alike."""
    alike = {token: {*by.values()} for token, by in answers.items() if token not in used}
    return {token: answer for token, (answer, *more) in alike.items() if not more and token != answer}


def _said_by(word: str, tokens: Sequence[int], swaps: Container[int]) -> str:
    """What to say of a word of which some tokens change; nothing of one that stays."""
    changed = [token in swaps for token in tokens]
    return word if all(changed) else f"a part of {word}" if any(changed) else ""


def _said(concept: Concept, request: Request, forms: bool) -> Iterator[tuple[str, str]]:
    """Each name and, where it is a common noun, its other number, with the anchor in the same form."""
    for name in concept.names:
        yield name, concept.anchor
    if forms and concept.anchor and not concept.kind.proper_names:
        yield from request.forms(concept).values()


def _answers(target: Sequence[Word], anchor: Sequence[Word]) -> list[tuple[int, int]]:
    """Tokens of a name, each with the one of the anchor that answers it.

    As in `align`: last to last, extra ones to the first.
    """
    tokens, instead = ([token for _, each in words for token in each] for words in (target, anchor))
    extra = len(tokens) - len(instead)
    return [(token, instead[max(0, place - extra)]) for place, token in enumerate(tokens)] if instead else []


def _words(path: TextPath, context: str, words: Sequence[str]) -> dict[str, list[Word]]:
    """The words of a name with their tokens behind a context, by encoder; none if a word changes those before it."""
    rows = path.tokenize([(context + " ".join(words[:count])).strip() for count in range(len(words) + 1)])
    found = {}
    for encoder in path.encoders:
        tokens = [_added(*pair) for pair in pairwise(row[encoder.name].words for row in rows)]
        found[encoder.name] = list(zip(words, tokens, strict=True)) if all(tokens) else []
    return found


def _added(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[int, ...]:
    return after[len(before) :] if common(before, after) == len(before) else ()
