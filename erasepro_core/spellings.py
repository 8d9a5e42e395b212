"""What a request is to one model: the spellings of its names that the model tells apart, and prompts that fit into it."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from .concept import Concept, Request
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
    named = [phrase for concept in request.concepts for phrase in (*concept.names, concept.anchor)]
    forms = {name: spellings_of(name) for concept in request.concepts for name in concept.names}
    every = list(dict.fromkeys([*named, *request.preserves, *(form for each in forms.values() for form in each)]))
    ids = dict(zip(every, map(_ids, path.tokenize(every)), strict=True))
    taken = {ids[phrase] for phrase in (*named, *request.preserves)}
    concepts = []
    for concept in request.concepts:
        more: list[str] = []
        for form in (form for name in concept.names for form in forms[name]):
            if ids[form] not in taken:
                taken.add(ids[form])
                more.append(form)
        names = (*concept.names, *more)
        concepts.append(replace(concept, names=names, languages=_languages(concept, path)))
    return replace(request, concepts=tuple(concepts))


def fitting(request: Request, path: TextPath) -> tuple[Request, list[str]]:
    """The request with everyday prompts that fit into one chunk, and a line for each that had to be shortened."""
    short = {prompt: _shortened(prompt, path) for prompt in request.everyday}
    remarks = [
        f"The everyday prompt {prompt[:60]!r} is too long for this model: its first {len(part)} of {len(prompt)} letters "
        "are used."
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
    Preserve.EXACT: "it keeps its whole meaning, so the concept stays in pictures of it.",
    Preserve.WEIGHTED: "it moves no more than the erasure needs, so part of the concept may stay in pictures of it.",
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
    return re.split(r"[\s,，、]+(?=\S*$)", prompt[:longest])[0]


def spellings_of(name: str) -> Sequence[str]:
    """How people write a name beside how it is listed: other cases; as image boards do, and in prompts for them."""
    others = [name.replace("_", " "), name.translate(WIDTHS)]
    if "(" in name:
        bare = name.replace("_", " ").replace("(", " ").replace(")", " ")
        others += [bare, name.lower().replace(" ", "_")]
    others = [clean(other) for other in others]
    forms = [*cases(name), *others, *(other.lower() for other in others)]
    return [form for form in dict.fromkeys(forms) if form and form != name]


def cases(name: str) -> Sequence[str]:
    """The other cases that people write a name in: `Van Gogh` also as `van gogh` and `VAN GOGH`."""
    words = name.split(" ")
    forms = name.lower(), name[:1].upper() + name[1:], " ".join(w[:1].upper() + w[1:] for w in words), name.upper()
    return [form for form in dict.fromkeys(forms) if form != name]


def _languages(concept: Concept, path: TextPath) -> tuple[str, ...]:
    """The languages that names of a concept are written in and the model reads."""
    written = {language(name) for name in concept.names} | {language(*concept.names, concept.anchor)}
    return tuple(each for each in path.family.languages if each in written)


def _ids(rows: Rows) -> tuple[tuple[int, ...], ...]:
    return tuple(row.ids for row in rows.values())
