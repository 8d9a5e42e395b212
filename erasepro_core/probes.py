"""The sentences of an audit: unseen ones, variations, forms that are not listed, and the user's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .checks import SENTENCES
from .concept import Concept, ConceptError, PromptPair, Request, unlisted_forms
from .phrase import opened, spellings

CHECKED = "unseen sentences"
OWN = "your prompts"
UNLISTED = "forms not listed"
"""Reported, but no part of the verdict: the erasure was not asked for them."""


@dataclass(frozen=True)
class Probe:
    """One sentence of an audit."""

    group: str
    """What it varies."""
    name: str
    """The listed name it is about."""
    pair: PromptPair


def checked_probes(pairs: Iterable[PromptPair]) -> list[Probe]:
    """Prompt pairs that have a check."""
    return [Probe(CHECKED, pair.target, pair) for pair in pairs]


def unseen_probes(request: Request) -> list[Probe]:
    """The first few unseen sentences of every name."""
    return checked_probes(request.unseen_pairs(SENTENCES))


def further_probes(request: Request, prompts: Iterable[str]) -> list[Probe]:
    """What an audit measures beside these: variations, forms that are not listed, prompts of the user's own."""
    return [*_variations(request), *unlisted_probes(request), *_own(request, prompts)]


def _variations(request: Request) -> list[Probe]:
    return [
        Probe(group, name, PromptPair(template, name, concept.anchor, index))
        for index, concept in enumerate(request.concepts)
        for name in concept.names
        for group, templates in concept.kind.variations.items()
        for template in request.without_targets(templates)
    ]


def unlisted_probes(request: Request) -> list[Probe]:
    """The unseen sentences with forms of the names that people also write and nobody listed."""
    return [
        Probe(UNLISTED, name, PromptPair(template, form, concept.anchor, index))
        for index, concept in enumerate(request.concepts)
        for name, form in unlisted_forms(concept).items()
        for template in request.unseen(concept)[:SENTENCES]
    ]


def _own(request: Request, prompts: Iterable[str]) -> list[Probe]:
    """The user's prompts, each about the names that it mentions; raises ConceptError for one that mentions none."""
    found: list[Probe] = []
    for prompt in prompts:
        named = [
            Probe(OWN, name, PromptPair(template, typed, concept.anchor, index))
            for index, concept in enumerate(request.concepts)
            for template, name, typed in _typed(prompt, concept)
        ]
        if not named:
            names = ", ".join(name for concept in request.concepts for name in concept.names)
            raise ConceptError(
                f"the probe prompt {prompt!r} names none of: {names}. Write {{}} where a name shall stand."
            )
        found += named
    return found


def _typed(prompt: str, concept: Concept) -> list[tuple[str, str, str]]:
    """Template, listed name and its spelling in the prompt, for each name in it: what was typed is what is measured."""
    if "{}" in prompt:
        return [(prompt, name, name) for name in concept.names]
    return [
        (opened(prompt, name), typed if typed in concept.names else name, typed)
        for name in concept.said_once
        for typed in spellings(prompt, name)
    ]
