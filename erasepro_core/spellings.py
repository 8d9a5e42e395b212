"""The spellings of a name that a model tells apart: what is one name to one tokenizer is several to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .concept import Request
from .path import Rows, TextPath


def spelled_out(request: Request, path: TextPath) -> Request:
    """The request with every case of its names that is other tokens to this model, as further names.

    CLIP reads `Pikachu` and `pikachu` as the same tokens, so nothing is added for it. T5 and language models do not:
    an erasure of one leaves the other. What is an anchor or is preserved is never added: `Apple -> apple` leaves
    `apple`.
    """
    named = [phrase for concept in request.concepts for phrase in (*concept.names, concept.anchor)]
    forms = {name: cases(name) for concept in request.concepts for name in concept.names}
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
        concepts.append(replace(concept, names=(*concept.names, *more)))
    return replace(request, concepts=tuple(concepts))


def cases(name: str) -> Sequence[str]:
    """The other cases that people write a name in: `Van Gogh` also as `van gogh` and `VAN GOGH`."""
    words = name.split(" ")
    forms = name.lower(), name[:1].upper() + name[1:], " ".join(w[:1].upper() + w[1:] for w in words), name.upper()
    return [form for form in dict.fromkeys(forms) if form != name]


def _ids(rows: Rows) -> tuple[tuple[int, ...], ...]:
    return tuple(row.ids for row in rows.values())
