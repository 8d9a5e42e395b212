"""The sentences of an audit: unseen ones, variations, forms that are not listed, and the user's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from .checks import sentences_of
from .concept import Concept, ConceptError, PromptPair, Request
from .marks import MarkError, escaped, read_probe
from .mention import opened, spellings

CHECKED = "unseen sentences"
OWN = "your prompts"
UNLISTED = "forms not listed"
FOUND = "names not listed"
NOT_ASKED = (UNLISTED, FOUND)
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
    """The first few unseen sentences of every name, as prompts with emphasis have them."""
    return [Probe(CHECKED, pair.target, _escaped(pair)) for pair in request.unseen_pairs(sentences_of(request))]


def further_probes(request: Request, prompts: Iterable[str]) -> list[Probe]:
    """What an audit measures beside these: variations, forms that are not listed, prompts of the user's own."""
    return [*_variations(request), *unlisted_probes(request), *found_probes(request), *_own(request, prompts)]


def _variations(request: Request) -> list[Probe]:
    return [
        Probe(group, name, _escaped(PromptPair(template, name, concept.anchor, index)))
        for index, concept in enumerate(request.concepts)
        for name in concept.names
        for group, templates in concept.kind.variations.items()
        for template in request.without_targets(templates)
    ]


def unlisted_probes(request: Request) -> list[Probe]:
    """The unseen sentences with forms of the names that people also write and nobody listed.

    A model that knows neither the form nor its anchor may read both as one unknown word. Such a sentence tells nothing.
    """
    count = sentences_of(request)
    pairs = request.form_pairs(lambda concept, name: request.unseen(concept, name)[:count])
    return [Probe(UNLISTED, name, _escaped(pair)) for name, pair in pairs]


def found_probes(request: Request) -> list[Probe]:
    """The unseen sentences with names that were found and that nobody listed."""
    return [
        Probe(FOUND, name, _escaped(PromptPair(template, name, concept.anchor, index)))
        for index, concept in enumerate(request.concepts)
        for name in concept.found
        for template in request.unseen(concept, name)[: sentences_of(request)]
    ]


def _own(request: Request, prompts: Iterable[str]) -> list[Probe]:
    """The user's prompts, each about the names that it mentions; raises ConceptError for one that mentions none."""
    found: list[Probe] = []
    for typed_prompt in prompts:
        try:
            prompt = read_probe(typed_prompt)
        except MarkError as error:
            raise ConceptError(f"your prompts: {error}") from error
        if not prompt:
            continue
        named = named_probes(request, prompt)
        if not named:
            names = ", ".join(request.names)
            raise ConceptError(
                f"the probe prompt {prompt!r} names none of: {names}. Write {{}} where a name shall stand."
            )
        found += named
    return found


def named_probes(request: Request, prompt: str) -> list[Probe]:
    """A prompt of the user's, once for each name that it mentions."""
    return [
        Probe(OWN, name, PromptPair(template, typed, escaped(concept.anchor), index))
        for index, concept in enumerate(request.concepts)
        for template, name, typed in _typed(prompt, concept)
    ]


def _typed(prompt: str, concept: Concept) -> list[tuple[str, str, str]]:
    """Template, listed name and its spelling in the prompt, for each name in it: what was typed is what is measured."""
    if "{}" in prompt:
        return [(prompt, name, escaped(name)) for name in concept.names]
    return [
        (opened(prompt, name), plain if (plain := typed.replace("\\", "")) in concept.names else name, typed)
        for name in concept.said_once
        for typed in spellings(prompt, name)
    ]


def _escaped(pair: PromptPair) -> PromptPair:
    """The pair for prompts in which brackets emphasise: those of the names are escaped."""
    return replace(pair, target=escaped(pair.target), anchor=escaped(pair.anchor))
