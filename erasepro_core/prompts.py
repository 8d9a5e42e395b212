"""Every prompt of a solve, by the part it plays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

from .compound import related_phrases, with_other_words
from .concept import Concept, PromptPair, Request
from .kinds import KINDS
from .neighbours import Neighbour, fitted, others, probed
from .neutral import FIT_PROMPTS, LONG_PROMPTS, PROBE_PROMPTS, local_prompts

MIXED_IN_ALL = 288
"""Phrases with words of compounds beside other words: all that four compounds have. More compounds get fewer each."""
MIXED_SENTENCES = 4
"""Sentences in which each of these phrases stands that is solved on."""
ALIKE_SENTENCES = 4
"""The same of names that share tokens with a target."""
PROBED = 2
"""Sentences in which a preserved name, or a word of a compound, is measured."""


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
        concepts = list(enumerate(request.concepts))
        known = [request.templates(concept) for concept in request.concepts]
        many = unique(template for templates in known for template in templates)
        related = {phrase: index for index, concept in concepts for phrase in related_phrases(concept)}
        mixed = _mixed(request)
        named = [(index, name) for name in request.preserves for index, _ in concepts]
        self.targets = [pair.target_prompt for pair in (*pairs, *unseen)]
        self.anchors = unique(pair.anchor_prompt for pair in pairs)
        self.preserves = _said(request, named, request.templates, _spread(sentences))
        self.names = list(request.preserves)
        self.related = _stays(request, _in_sentences(related, many))
        # A word of a compound must survive beside other words too: a yellow circle, when a red one is erased.
        self.mixed = _stays(request, _said(request, mixed[::2], request.templates, _in_turn(MIXED_SENTENCES)))
        spoken = dict.fromkeys(language for concept in request.concepts for language in concept.said_in)
        local = local_prompts(spoken, "solved on")
        everyday = *FIT_PROMPTS, *(LONG_PROMPTS if long else ()), *local, *request.everyday
        self.fit = request.without_targets(everyday)
        self.near = _stays(request, _near(request, neighbours))

        def measured(names: Sequence[tuple[int, str]], times: int = 1) -> dict[str, str]:
            return _stays(request, _said(request, names, request.unseen, _in_turn(times)))

        alone = [(index, phrase) for phrase, index in related.items()]
        beside, near = mixed[1::2], [(each.concept, each.name) for each in probed(neighbours)]
        alike = [(each.concept, each.name) for each in neighbours if each.alike]
        neutral = request.without_targets((*PROBE_PROMPTS, *local_prompts(spoken, "unseen")))
        anchors = unique(pair.anchor_prompt for pair in unseen)
        groups = {
            "preserves": _said(request, named, request.unseen, _in_turn(PROBED)),  # one may name a target
            "related": measured(alone, PROBED) | measured(beside),
            "neighbours": measured(near),
            "anchors": dict(zip(anchors, anchors, strict=True)),
            "neutral": dict(zip(neutral, neutral, strict=True)),
        }
        self.groups = {name: group for name, group in groups.items() if group}
        """Prompts whose drift is measured, by name of the group; each with what it is about. None is solved on."""
        self.apart = [part for part in (_about(groups["related"], beside), _about(groups["neighbours"], alike)) if part]
        """Of these groups what is hard to hold: words of compounds beside others, and names that share tokens."""

    def all(self) -> list[str]:
        """Every prompt once, the empty one first."""
        return unique([*self.all_but_fit(), *self.near, *self.fit])

    def all_but_fit(self) -> list[str]:
        """Those that are more than everyday prompts and neighbours."""
        stays = [*self.preserves, *self.names, *self.related, *self.mixed, *chain(*self.groups.values())]
        return unique(["", *self.targets, *self.anchors, *stays])

    def asked(self) -> list[str]:
        """What must stay because a person named it: preserves, anchors, and phrases that share words with a target."""
        anchors = *self.anchors, *self.groups.get("anchors", ())
        return self._but_targets([*self.preserves, *self.names, *self.related, *anchors])

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
Order = Callable[[int, int], Iterable[int]]
"""Gives the places of the sentences that a name stands in, from its turn and from how many sentences there are."""


def _said(request: Request, names: Iterable[tuple[int, str]], sentences: Sentences, order: Order) -> dict[str, str]:
    """Each name, with the concept that it goes with, in some sentences of it and of the name's language."""
    turns: Counter[int] = Counter()
    found: dict[str, str] = {}
    for concept, name in names:
        usable = sentences(request.concepts[concept], name)
        found |= {usable[n].replace("{}", name): name for n in order(turns[concept], len(usable))}
        turns[concept] += 1
    return found


def _in_turn(times: int) -> Order:
    """The next few sentences for each name."""
    return lambda turn, count: [(turn * times + n) % count for n in range(times)]


def _spread(times: int) -> Order:
    """The first sentence for each name, and others from all over the list, which differ from name to name.

    How far a name moves depends more on its sentence than on the name, so that all names together stand in all
    sentences (docs/decisions/0110).
    """

    def places(turn: int, count: int) -> list[int]:
        rest = count - 1
        more = min(times - 1, rest)
        return [*(1 + (turn + n * rest // more) % rest for n in range(more)), 0]

    return places


def _near(request: Request, neighbours: Sequence[Neighbour]) -> dict[str, str]:
    """Each neighbour that is solved on in one sentence, those that share tokens with a target in a few."""
    near = fitted(neighbours)
    alike = [(each.concept, each.name) for each in near if each.alike]
    every = [(each.concept, each.name) for each in near]
    found = _said(request, every, request.templates, _in_turn(1))
    return found | _said(request, alike, request.templates, _spread(ALIKE_SENTENCES))


def _about(prompts: Mapping[str, str], names: Iterable[tuple[int, str]]) -> list[str]:
    """Those of the prompts that are about some names."""
    wanted = {name for _, name in names}
    return [prompt for prompt, name in prompts.items() if name in wanted]


def _stays(request: Request, prompts: Mapping[str, str]) -> dict[str, str]:
    """Those of the prompts that mention no target."""
    return {prompt: prompts[prompt] for prompt in request.without_targets(prompts)}


def some(prompts: Sequence[Any], count: int) -> list[Any]:
    """At most so many of them, evenly spread."""
    return [prompts[n * len(prompts) // count] for n in range(count)] if len(prompts) > count else list(prompts)


def unique(prompts: Iterable[str]) -> list[str]:
    """The prompts without repetitions, in their order."""
    return list(dict.fromkeys(prompts))
