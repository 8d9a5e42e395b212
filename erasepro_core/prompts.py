"""Every prompt of a solve, by the part it plays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain

from .concept import FIRST, Concept, PromptPair, Request, related_phrases, with_other_words
from .kinds import KINDS
from .neighbours import Neighbour, fitted, others, probed
from .neutral import FIT_PROMPTS, LONG_PROMPTS, PROBE_PROMPTS, local_prompts

MIXED_IN_ALL = 288
"""Phrases with words of compounds beside other words: all that four compounds have. More compounds get fewer each."""


class Prompts:
    """The prompts of a solve. None of those that must stay mentions a target.

    Args:
        request: what to erase and to preserve.
        pairs: the prompt pairs it is solved on.
        unseen: the prompt pairs on which leak is measured.
        neighbours: names that must not move.
        sentences: in how many sentences each preserved name stands.
        long: whether the text encoders read long prompts.
    """

    def __init__(
        self,
        request: Request,
        pairs: Sequence[PromptPair],
        unseen: Sequence[PromptPair],
        neighbours: Sequence[Neighbour],
        sentences: int,
        long: bool = False,
    ):
        self._request = request
        known = [request.templates(concept) for concept in request.concepts]
        many = unique(template for templates in known for template in templates)
        related = unique(phrase for concept in request.concepts for phrase in related_phrases(concept))
        self.targets = [pair.target_prompt for pair in (*pairs, *unseen)]
        self.anchors = unique(pair.anchor_prompt for pair in pairs)
        self.unseen_anchors = unique(pair.anchor_prompt for pair in unseen)
        self.preserves = {
            template.replace("{}", name): name
            for name in request.preserves
            for concept in request.concepts
            for template in request.templates(concept, name)[:sentences]
        }
        self.names = list(request.preserves)
        # A word of a compound must survive beside other words too: a yellow circle, when a red one is erased.
        mixed = _mixed(request)
        self.related = _stays(request, _in_sentences(related, many) | _in_one(request, mixed[1::2], request.unseen))
        self.mixed = _stays(request, _in_one(request, mixed[::2], _first(request)))
        spoken = dict.fromkeys(language for concept in request.concepts for language in concept.said_in)
        local = local_prompts(spoken, "solved on")
        everyday = *FIT_PROMPTS, *(LONG_PROMPTS if long else ()), *local, *request.everyday
        self.fit = request.without_targets(everyday)
        self.near = _stays(request, _near(request, neighbours))
        probes = [(each.concept, each.name) for each in probed(neighbours)]
        self.neighbours = _stays(request, _in_one(request, probes, request.unseen))
        names = {each.name for each in neighbours if each.alike}
        self.alike = [prompt for prompt, name in self.neighbours.items() if name in names]
        self.probes = request.without_targets((*PROBE_PROMPTS, *local_prompts(spoken, "unseen")))

    def all(self) -> list[str]:
        """Every prompt once, the empty one first."""
        return unique([*self.all_but_fit(), *self.near, *self.fit])

    def all_but_fit(self) -> list[str]:
        """Those that are more than everyday prompts and neighbours."""
        stays = [*self.unseen_anchors, *self.preserves, *self.names, *self.related, *self.mixed, *self.neighbours]
        return unique(["", *self.targets, *self.anchors, *stays, *self.probes])

    def asked(self) -> list[str]:
        """What must stay because a person named it: preserves, anchors, and phrases that share words with a target."""
        named = [*self.preserves, *self.names, *self.related, *self.anchors, *self.unseen_anchors]
        return self._but_targets(named)

    def stays(self) -> list[str]:
        """Every prompt that must not move, and every name of the targets' kinds."""
        kinds = dict.fromkeys(concept.kind.name for concept in self._request.concepts)
        return unique([*self._but_targets(self.all()), *chain.from_iterable(self._known[kind] for kind in kinds)])

    def known(self) -> list[str]:
        """The names of any kind that cannot mean a target."""
        return unique(chain.from_iterable(self._known.values()))

    @cached_property
    def _known(self) -> Mapping[str, list[str]]:
        """The same by kind."""
        languages = dict.fromkeys(chain.from_iterable(concept.said_in for concept in self._request.concepts))
        return {kind.name: others(kind, kind.names_in(languages), self._request.phrases) for kind in KINDS}

    def _but_targets(self, prompts: Sequence[str]) -> list[str]:
        targets = set(self.targets)
        return unique(prompt for prompt in prompts if prompt not in targets)

    def groups(self) -> Mapping[str, Mapping[str, str]]:
        """Prompts whose drift is measured, by name of the group; each with what it is about. No group is empty."""
        named = {
            "preserves": self.preserves,
            "related": self.related,
            "neighbours": self.neighbours,
            "anchors": dict(zip(self.unseen_anchors, self.unseen_anchors, strict=True)),
            "neutral": dict(zip(self.probes, self.probes, strict=True)),
        }
        return {name: group for name, group in named.items() if group}


def _in_sentences(names: Iterable[str], templates: Sequence[str]) -> dict[str, str]:
    """Each name in each sentence, by the sentence."""
    return {template.replace("{}", name): name for name in names for template in templates}


def _mixed(request: Request) -> list[tuple[int, str]]:
    """Words of compounds beside other words, each phrase with the concept that it goes with."""
    found = {phrase: index for index, concept in enumerate(request.concepts) for phrase in with_other_words(concept)}
    phrases = [(index, phrase) for phrase, index in found.items()]
    return phrases[:: -(-len(phrases) // MIXED_IN_ALL) or 1]


Sentences = Callable[[Concept, str], Sequence[str]]
"""Gives the sentences of a concept for a name."""


def _first(request: Request) -> Sentences:
    """The first few sentences to solve on."""
    return lambda concept, name: request.templates(concept, name)[:FIRST]


def _in_one(request: Request, names: Iterable[tuple[int, str]], sentences: Sentences) -> dict[str, str]:
    """Each name, with the concept that it goes with, in one sentence of it and of the name's language, in turn."""
    turns: Counter[int] = Counter()
    found: dict[str, str] = {}
    for concept, name in names:
        usable = sentences(request.concepts[concept], name)
        found[usable[turns[concept] % len(usable)].replace("{}", name)] = name
        turns[concept] += 1
    return found


def _near(request: Request, neighbours: Sequence[Neighbour]) -> dict[str, str]:
    """Each neighbour that is solved on in one sentence, those that share tokens with a target in the first few."""
    near, first = fitted(neighbours), _first(request)
    alike = [each for each in near if each.alike]
    held = {
        s.replace("{}", each.name): each.name
        for each in alike
        for s in first(request.concepts[each.concept], each.name)
    }
    return _in_one(request, [(each.concept, each.name) for each in near], first) | held


def _stays(request: Request, prompts: Mapping[str, str]) -> dict[str, str]:
    """Those of the prompts that mention no target."""
    return {prompt: prompts[prompt] for prompt in request.without_targets(prompts)}


def unique(prompts: Iterable[str]) -> list[str]:
    """The prompts without repetitions, in their order."""
    return list(dict.fromkeys(prompts))
