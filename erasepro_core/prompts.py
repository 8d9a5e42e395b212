"""Every prompt of a solve, by the part it plays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .concept import PromptPair, Request, in_sentences, related_phrases
from .neutral import FIT_PROMPTS, PROBE_PROMPTS


class Prompts:
    """The prompts of a solve. None of those that must stay mentions a target.

    Args:
        request: what to erase and to preserve.
        pairs: the prompt pairs it is solved on.
        unseen: the prompt pairs on which leak is measured.
        sentences: in how many sentences each preserved name stands.
    """

    def __init__(self, request: Request, pairs: Sequence[PromptPair], unseen: Sequence[PromptPair], sentences: int):
        known = [request.without_targets(concept.kind.templates) for concept in request.concepts]
        few = unique(template for templates in known for template in templates[:sentences])
        many = unique(template for templates in known for template in templates)
        related = unique(phrase for concept in request.concepts for phrase in related_phrases(concept))
        self.targets = [pair.target_prompt for pair in (*pairs, *unseen)]
        self.anchors = unique(pair.anchor_prompt for pair in pairs)
        self.unseen_anchors = unique(pair.anchor_prompt for pair in unseen)
        self.preserves = in_sentences(request.preserves, few)
        self.names = list(request.preserves)
        # A word of a compound must survive beside other words too: a yellow circle, when a red one is erased.
        self.related = request.without_targets(in_sentences(related, many))
        self.fit = request.without_targets((*FIT_PROMPTS, *request.everyday))
        self.probes = request.without_targets(PROBE_PROMPTS)

    def edited(self) -> list[str]:
        """All that the updates act on, the empty prompt first; only the anchors' own rows stand behind these."""
        stays = [*self.unseen_anchors, *self.preserves, *self.related]
        return unique(["", *self.targets, *self.anchors, *stays, *self.fit, *self.probes])

    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Prompts whose drift is measured, by name of the group; no group is empty."""
        named = {"preserves": self.preserves, "related": self.related, "anchors": self.unseen_anchors}
        return {name: tuple(group) for name, group in {**named, "neutral": self.probes}.items() if group}


def unique(prompts: Iterable[str]) -> list[str]:
    """The prompts without repetitions, in their order."""
    return list(dict.fromkeys(prompts))
