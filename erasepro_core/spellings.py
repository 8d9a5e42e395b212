"""What a request is to one model: the spellings of its names that the model tells apart, and prompts that fit into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .concept import Concept, Request
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
