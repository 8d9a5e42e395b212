"""The table of token embeddings: the shallowest linear layer of a text encoder, and the one whose features are one-hot.

`W X = W_o Y` holds exactly there once the row of a token that only a target uses is the row of the token that answers
it in the anchor. Nothing else moves. It reaches what is said in these tokens, and nothing else: a synonym has others.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from .align import TokenRow, common
from .concept import Request
from .neutral import everyday_words
from .path import Features, Rows, TextPath
from .thesaurus import is_word, shared_pieces, used
from .update import RowUpdate

DEPTH = -1
"""The depth of a table, before the first block."""
CONTEXTS = ("", "of ")
"""What stands before a word decides its token in encoders that count a space to the word."""
MOST_NAMED = 5
"""So many names that change with a token are named, and the others counted."""
SHORTEST = 3
"""Letters of the shortest word that no everyday prompt says; shorter ones of the thesaurus are mostly none."""
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
    others: tuple[str, ...] = ()
    """Known names that have one of these tokens as a piece, and change with it."""

    def remarks(self) -> list[str]:
        """A line about names that change with a target's token, for the person who asked."""
        if not self.others:
            return []
        more = len(self.others) - MOST_NAMED
        others = ", ".join(self.others[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        return [f"Names that have a token of an erased name change too: {others}. To keep one, list it under preserve."]

    def __bool__(self) -> bool:
        return any(self.tokens.values())

    def applied(self, rows: Rows) -> Rows:
        """What these tokens are to the model once its tables are changed."""
        return {name: _replaced(row, self.tokens.get(name, {})) for name, row in rows.items()}

    def untouched(self, prompts: Mapping[str, Rows]) -> dict[str, Rows]:
        """Those of some prompts, each with its rows, that have none of these tokens."""
        return {
            prompt: rows
            for prompt, rows in prompts.items()
            if all(tokens.keys().isdisjoint(rows[name].ids) for name, tokens in self.tokens.items())
        }

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
        self.module, self.conditioned, self.make_room = path.module, path.conditioned, path.make_room
        self.embeddings, self.table_size, self.words = path.embeddings, path.table_size, path.words

    def tokenize(self, prompts: Sequence[str], emphasis: bool = False) -> list[Rows]:
        """See `TextPath.tokenize`; many prompts have the same rows here, and are encoded once."""
        return [self._swaps.applied(row) for row in self._path.tokenize(prompts, emphasis)]

    def encode(self, rows: Sequence[Rows], padding: Sequence[int | None] | None = None) -> Features:
        """See `TextPath.encode`."""
        return self._path.encode([self._swaps.applied(row) for row in rows], padding)


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
    anchors, a part of a word that is an English word elsewhere, and a piece that many English words share (decision
    0112). The layers do what is left of such a name. A token that is all of a name changes even so where few prompts
    use it as a piece of another word, as `sunflower` does of `sun`: to leave it would leave the whole name. A form that
    nobody typed takes no piece that any known name has.

    Args:
        request: what to erase.
        path: the model.
        stays: all that must not move.
        known: names of which words that are one token must not move; in other names a piece means little.
        asked: of all that must not move, what a person named.
        forms: whether forms of the names that are not listed change too.
    """
    encoders = [encoder.name for encoder in path.encoders if encoder.table]
    of_names = path.tokenize(known)
    uses, asked_for, in_names = (
        used(rows, encoders) for rows in (path.tokenize(stays), path.tokenize(asked), of_names)
    )
    words_of_names = used(of_names, encoders, [len(name.split()) for name in known])
    said = _Said(path, encoders)
    for index, concept in enumerate(request.concepts):
        said.add(index, ((name, concept.anchor) for name in concept.names), said.pieces)
        if forms and not concept.kind.proper_names:
            said.add(index, request.forms(concept).values(), said.pieces_of_forms, concept.anchor)
    words_inside = said.words_inside()
    shared = shared_pieces(path, said.every_piece())
    swaps: dict[str, dict[int, int]] = {}
    for name in encoders:
        whole, pieces = said.whole[name], said.pieces[name]
        often = (token for token, count in uses[name].items() if count > FEW_USES * len(stays))
        stay = {*uses[name], *words_of_names[name], *words_inside[name], *whole, *shared[name]}
        swaps[name] = _clear(said.pieces_of_forms[name], {*stay, *in_names[name], *pieces})
        swaps[name] |= _clear(pieces, stay) | _clear(whole, {*asked_for[name], *often})
    changed = (_said_by(word, tokens, swaps[name]) for name, each in said.words.items() for word, tokens in each)
    names = zip(known, of_names, strict=True)
    others = (
        other for other, row in names if any(not swaps[name].keys().isdisjoint(row[name].words) for name in swaps)
    )
    return Swaps(swaps, tuple(filter(None, dict.fromkeys(changed))), tuple(others))


class _Said:
    """What targets say, token by token, and what answers each token.

    Args:
        path: the model.
        encoders: those that have a table.
    """

    def __init__(self, path: TextPath, encoders: Sequence[str]):
        self._path, self._encoders = path, encoders
        self.whole, self.pieces, self.pieces_of_forms = ({name: Answers() for name in encoders} for _ in range(3))
        self.words: dict[str, list[Word]] = {name: [] for name in encoders}

    def add(
        self, concept: int, said: Iterable[tuple[str, str]], pieces: Mapping[str, Answers], shorter: str = ""
    ) -> None:
        """Names or forms of a concept, each with its anchor; `pieces` takes the tokens that are not all of one.

        Args:
            concept: which.
            said: the names or forms.
            pieces: `self.pieces`, or `self.pieces_of_forms`.
            shorter: the anchor of those whose own has more tokens than they have, of which a part would mean nothing.
        """
        less = {context: _words(self._path, context, shorter.split()) for context in CONTEXTS}
        for name, anchor in said:
            for context in CONTEXTS if anchor else ():
                targets, instead = (_words(self._path, context, each.split()) for each in (name, anchor))
                for encoder in self._encoders:
                    self.words[encoder] += targets[encoder]
                    found = _answers(targets[encoder], instead[encoder], less[context][encoder])
                    answers = self.whole[encoder] if len(found) == 1 else pieces[encoder]
                    for token, answer in found:
                        answers.setdefault(token, {}).setdefault(concept, answer)

    def every_piece(self) -> dict[str, list[int]]:
        """The tokens that are not all of a name or form, by encoder."""
        return {name: [*self.pieces[name], *self.pieces_of_forms[name]] for name in self._encoders}

    def words_inside(self) -> dict[str, set[int]]:
        """The tokens of parts of words that are an English word elsewhere, by encoder.

        A tokenizer that marks only the ends of words has one token for `apples` and the end of `pineapples`; one that
        marks only their starts has one for `dragon` and the start of `dragonfly`.
        """
        split = dict.fromkeys(word for each in self.words.values() for word, tokens in each if len(tokens) > 1)
        ends = (part for word in split for n in range(2, len(word)) for part in (word[:n], word[-n:]))
        parts = dict.fromkeys(part for part in ends if _is_word(part))
        found: dict[str, set[int]] = {name: set() for name in self._encoders}
        for context in CONTEXTS:
            empty, *rows = self._path.tokenize([context.strip(), *(context + part for part in parts)])
            for name, tokens in found.items():
                added = (_added(empty[name].words, row[name].words) for row in rows)
                tokens.update(each[0] for each in added if len(each) == 1)
        return found


def _is_word(part: str) -> bool:
    """Whether a part of a word is an English word: an everyday one, or any of three letters and more."""
    return part.lower() in everyday_words() or (len(part) >= SHORTEST and is_word(part))


def _clear(answers: Answers, used: Container[int]) -> dict[int, int]:
    """The answer of each token that nobody else uses and that all its concepts answer alike."""
    alike = {token: {*by.values()} for token, by in answers.items() if token not in used}
    return {token: answer for token, (answer, *more) in alike.items() if not more and token != answer}


def _said_by(word: str, tokens: Sequence[int], swaps: Container[int]) -> str:
    """What to say of a word of which some tokens change; nothing of one that stays."""
    changed = [token in swaps for token in tokens]
    return word if all(changed) else f"a part of {word}" if any(changed) else ""


def _answers(target: Sequence[Word], anchor: Sequence[Word], shorter: Sequence[Word]) -> list[tuple[int, int]]:
    """Tokens of a name, each with the one of the anchor that answers it, or of a shorter one if it has fewer.

    As in `align`: last to last, extra ones to the first.
    """
    tokens, instead, less = ([token for _, each in words for token in each] for words in (target, anchor, shorter))
    if len(instead) > len(tokens) >= len(less) > 0:
        instead = less
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
