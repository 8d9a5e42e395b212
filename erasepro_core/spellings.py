"""What a request is to one model: spellings that it tells apart, prompts that fit, letters that it knows."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from .concept import Concept, ConceptError, Request
from .marks import escaped
from .mention import mentions
from .methods import Preserve
from .path import Rows, TextPath
from .phrase import WIDTHS, clean, language


def spelled_out(request: Request, path: TextPath) -> Request:
    """The request with every spelling of its names that is other tokens to this model, as further names.

    CLIP reads `Pikachu` and `pikachu` as the same tokens, so nothing is added for it. T5 and language models do not:
    an erasure of one leaves the other. `name_(series)` and `name (series)` are other tokens to all of them. What is an
    anchor or is preserved is never added: `Apple -> apple` leaves `apple`.
    """
    request = in_languages(request, path)
    forms = {name: spellings_of(name) for name in request.names}
    every = list(dict.fromkeys([*request.phrases, *(form for each in forms.values() for form in each)]))
    ids = dict(zip(every, map(_ids, path.tokenize(every)), strict=True))
    taken = {ids[phrase] for phrase in request.phrases}
    concepts = []
    for concept in request.concepts:
        more: list[str] = []
        for form in (form for name in concept.names for form in forms[name]):
            if ids[form] not in taken:
                taken.add(ids[form])
                more.append(form)
        concepts.append(replace(concept, names=(*concept.names, *more)))
    return replace(request, concepts=tuple(concepts))


def in_languages(request: Request, path: TextPath) -> Request:
    """The request with the languages that names of each concept are written in and the model reads."""
    return replace(
        request, concepts=tuple(replace(each, languages=_languages(each, path)) for each in request.concepts)
    )


UNKNOWN = "\U0010fffd"
"""A character that is in no text: what a tokenizer makes of it is what it makes of letters that it does not know."""


def unread(request: Request, path: TextPath) -> list[str]:
    """A line for each name and anchor that one of the tokenizers does not know the letters of.

    Raises:
        ConceptError: none of them does.
    """
    phrases = list(dict.fromkeys(p for concept in request.concepts for p in (*concept.said_once, concept.anchor)))
    unknown, *rows = path.tokenize([UNKNOWN, *phrases])
    remarks = []
    for phrase, row in zip(phrases, rows, strict=True):
        encoders = [encoder.name for encoder in path.encoders]
        blind = [name for name in encoders if set(row[name].words) <= set(unknown[name].words)]
        if len(blind) == len(encoders):
            raise ConceptError(
                f"no text encoder of this model knows the letters of {phrase!r}: it would be any unknown word. Write "
                "it in letters that the model knows."
            )
        if blind:
            remarks.append(
                f"{', '.join(blind)} does not know the letters of {phrase!r} and takes it for any unknown word."
            )
    return remarks


def fitting(request: Request, path: TextPath) -> tuple[Request, list[str]]:
    """The request with everyday prompts that fit into one chunk, and a line for each that had to be shortened."""
    short = {prompt: _shortened(prompt, path) for prompt in request.everyday}
    remarks = [
        f"The everyday prompt {prompt[:60]!r} is too long for this model: its first {len(part)} of {len(prompt)} "
        "letters are used."
        for prompt, part in short.items()
        if part != prompt
    ]
    return replace(request, everyday=tuple(dict.fromkeys(filter(None, short.values())))), remarks


def kept_with_targets(request: Request, preserve: Preserve) -> list[str]:
    """A line for each preserve that mentions a target, with what is done about it."""
    targets = [name for concept in request.concepts for name in concept.said_once]
    found = [(kept, next(filter(partial(mentions, kept), targets), None)) for kept in request.preserves]
    return [f"The preserve {kept!r} names {name!r}, which is erased: {_KEPT[preserve]}" for kept, name in found if name]


_KEPT = {
    Preserve.EXACT: "its words are held where they stand alone, so part of the concept may stay, there and elsewhere.",
    Preserve.WEIGHTED: "it moves as little as the erasure allows, so part of the concept may stay in pictures of it.",
    Preserve.OFF: "preserves are ignored, so it changes too.",
}


def _shortened(prompt: str, path: TextPath) -> str:
    """The start of a prompt that fits into one chunk, up to the end of a word where there is one."""

    def fits(length: int) -> bool:
        try:
            path.tokenize([prompt[:length]])
        except ValueError:
            return False
        return True

    if fits(len(prompt)):
        return prompt
    longest = bisect(range(1, len(prompt)), 0, key=lambda length: not fits(length))
    return re.split(r"[\s,\uff0c\u3001]+(?=\S*$)", prompt[:longest])[0]


def spellings_of(name: str) -> Sequence[str]:
    """How people write a name beside how it is listed: other cases; as image boards do, and in prompts for them."""
    others = [name.replace("_", " "), name.translate(WIDTHS)]
    if "(" in name:
        bare = name.replace("_", " ").replace("(", " ").replace(")", " ")
        board = name.lower().replace(" ", "_")
        # Not escaped, brackets emphasise and are gone; a model that knows no emphasis reads what escapes them.
        others += [bare, board, board.replace("(", " ").replace(")", " "), board.replace("(", "").replace(")", "")]
        others += [escaped(name), escaped(board)]
    others = [form for other in others if (form := clean(other)) != name]
    forms = [*cases(name), *others, *(other.lower() for other in others)]
    return [form for form in dict.fromkeys(forms) if form and form != name]


def cases(name: str) -> Sequence[str]:
    """The other cases that people write a name in: `Van Gogh` also as `van gogh` and `VAN GOGH`."""
    words = re.sub(r"(?:^|(?<=[ _(]))[^ _(]", lambda first: first[0].upper(), name)
    forms = name.lower(), name[:1].upper() + name[1:], words, name.upper()
    return [form for form in dict.fromkeys(forms) if form != name]


def _languages(concept: Concept, path: TextPath) -> tuple[str, ...]:
    """The languages that names of a concept are written in and the model reads."""
    written = {language(name) for name in concept.names} | {language(*concept.names, concept.anchor)}
    return tuple(each for each in path.family.languages if each in written)


def _ids(rows: Rows) -> tuple[tuple[int, ...], ...]:
    return tuple(row.ids for row in rows.values())
