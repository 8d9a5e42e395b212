"""What to erase: concepts, their anchors and preserves, and the prompt pairs that are made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from .conflicts import Conflicts
from .kinds import KINDS, Kind
from .marks import written
from .mention import Mentions
from .number import is_plural
from .phrase import key, language

ARROW = "->"
FIRST = 4
"""How many of the built-in sentences cover all registers. The other cases of a name stand in no more: in as many as the
name itself they would double what is left of it (docs/decisions/0115)."""
BESIDE = 2
"""In how many sentences of each other language a concept's English names are said, if others of its names are in it."""
HOLD_OUT = 5
"""Of own sentences that replace the built-in ones, the fifth, tenth and so on are held out."""


class ConceptError(ValueError):
    """A concept text or a request that cannot be understood; the message names the line or the concept."""


def kind_named(name: str) -> Kind:
    """The kind with this name; raises ConceptError when there is none."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise ConceptError(f"there is no kind {name!r}; the kinds are {', '.join(k.name for k in KINDS)}.")


@dataclass(frozen=True)
class Concept:
    """One thing to erase."""

    names: tuple[str, ...]
    """The target and its aliases, at least one."""
    anchor: str
    """What the model shall understand instead."""
    kind: Kind
    sentences: tuple[str, ...] = ()
    """The user's own sentences with one `{}`, solved on before the built-in ones."""
    only_own: bool = False
    """Whether they replace the built-in ones. Then every fifth is not solved on: leak is measured there."""
    found: tuple[str, ...] = ()
    """Names that the model was found to understand as the target, and that are not listed: they are only measured."""
    languages: tuple[str, ...] = ()
    """Languages beside English whose built-in sentences the model reads; names in them are said in these first."""

    def templates(self, name: str = "", long: bool = False) -> list[str]:
        """Sentences to solve on, the most useful first.

        Args:
            name: in the language of which name.
            long: whether the text encoders read long prompts.
        """
        if self.only_own:
            return [sentence for n, sentence in enumerate(self.sentences, start=1) if n % HOLD_OUT]
        first, rest = self.kind.templates[:FIRST], self.kind.templates[FIRST:]
        local = self._local(name)[0]
        # An English name inside a Chinese sentence is other tokens where a space is part of a word's.
        beside = () if local else (s for own in self.said_in for s in self.kind.local[own][0][1 : 1 + BESIDE])
        return [*self.sentences, *local, *first, *beside, *(self.kind.long_templates if long else ()), *rest]

    def _local(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Sentences in the language of a name, solved on and unseen."""
        return self.kind.local.get(self._language(name) or "", ((), ()))

    def _language(self, name: str) -> str | None:
        """The language beside English that a name is said in; None where it is English or not read."""
        own = language(name)
        if own == "zh" and language(*self.names, self.anchor) == "ja":
            own = "ja"  # Han letters alone could be either
        return own if own in self.languages else None

    @property
    def said_in(self) -> tuple[str, ...]:
        """The languages beside English that its names are said in."""
        return tuple(filter(None, dict.fromkeys(map(self._language, self.names))))

    @property
    def said_once(self) -> list[str]:
        """The names, of several spellings of one name the first."""
        return list({key(name): name for name in reversed(self.names)}.values())[::-1]

    @cached_property
    def other_cases(self) -> frozenset[str]:
        """The names that are an earlier one with other capitals."""
        first: dict[str, str] = {}
        return frozenset(name for name in self.names if first.setdefault(name.lower(), name) != name)

    def unseen(self, name: str = "") -> tuple[str, ...]:
        """Sentences that are never solved on, in the language of a name."""
        held_out = self.sentences[HOLD_OUT - 1 :: HOLD_OUT] if self.only_own else ()
        return held_out or (*self._local(name)[1], *self.kind.unseen)

    def __str__(self) -> str:
        """The line that is read as this concept."""
        return f"{' | '.join(map(written, self.names))} {ARROW} {written(self.anchor)}"


@dataclass(frozen=True)
class PromptPair:
    """The same sentence with a target and with its anchor."""

    template: str
    target: str
    anchor: str
    concept: int
    """Index of the concept in its request."""
    shift: int = 0
    """Commas in front: of the anchor's sentence, or of the target's when negative. They bring both to one position."""

    @property
    def target_prompt(self) -> str:
        """The sentence with the target."""
        return self._lead(-self.shift) + self.template.replace("{}", self.target)

    @property
    def anchor_prompt(self) -> str:
        """The sentence with the anchor."""
        return self._lead(self.shift) + self.template.replace("{}", self.anchor)

    @property
    def target_prefix(self) -> str:
        """What stands before the target."""
        return self._lead(-self.shift) + self.template.partition("{}")[0]

    @property
    def anchor_prefix(self) -> str:
        """What stands before the anchor."""
        return self._lead(self.shift) + self.template.partition("{}")[0]

    @staticmethod
    def _lead(commas: int) -> str:
        return ", " * max(commas, 0)


def both_prompts(pairs: Iterable[PromptPair]) -> list[str]:
    """The prompt with the target and the prompt with the anchor of each pair, one after the other."""
    return [prompt for pair in pairs for prompt in (pair.target_prompt, pair.anchor_prompt)]


@dataclass(frozen=True)
class Request:
    """What shall change and what shall not."""

    concepts: tuple[Concept, ...]
    preserves: tuple[str, ...] = ()
    """Names that must keep their meaning."""
    everyday: tuple[str, ...] = ()
    """Prompts as the model is really used, beside the pack's own: the update is made small on them."""

    def pairs(self, templates: int, long: bool = False) -> list[PromptPair]:
        """Prompt pairs to solve on, up to `templates` sentences for each name, and `FIRST` for its other cases."""

        def sentences(concept: Concept, name: str) -> list[str]:
            count = min(templates, FIRST) if name in concept.other_cases else templates
            return self.templates(concept, name, long)[:count]

        return self._pairs(sentences)

    def form_pairs(self, sentences: Callable[[Concept, str], Sequence[str]]) -> list[tuple[str, PromptPair]]:
        """Each listed name with a prompt pair of its form that is not listed, in some sentences of each name."""
        return [
            (name, PromptPair(template, form, anchor, index))
            for index, concept in enumerate(self.concepts)
            for name, (form, anchor) in self.forms(concept).items()
            for template in sentences(concept, name)
        ]

    def forms(self, concept: Concept) -> dict[str, tuple[str, str]]:
        """What `unlisted_forms` gives for a concept, but for forms that another line names or that are preserved."""
        return {name: form for name, form in unlisted_forms(concept).items() if key(form[0]) not in self._keys}

    @property
    def names(self) -> list[str]:
        """Every name that is erased."""
        return [name for concept in self.concepts for name in concept.names]

    @cached_property
    def phrases(self) -> list[str]:
        """All that is named: targets, anchors and preserves."""
        named = [phrase for concept in self.concepts for phrase in (*concept.names, concept.anchor)]
        return [*named, *self.preserves]

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(map(key, self.phrases))

    def unseen_pairs(self, sentences: int | None = None) -> list[PromptPair]:
        """Prompt pairs in sentences that are never solved on, all of them or the first few."""
        return self._pairs(lambda concept, name: self.unseen(concept, name)[:sentences])

    def templates(self, concept: Concept, name: str = "", long: bool = False) -> list[str]:
        """The sentences of a concept to solve on that mention no target; see `Concept.templates`.

        Raises:
            ConceptError: all of them mention one.
        """
        return self._usable(concept, concept.templates(name, long))

    def unseen(self, concept: Concept, name: str = "") -> list[str]:
        """The sentences of a concept never to solve on that mention no target; raises ConceptError if all do."""
        return self._usable(concept, concept.unseen(name))

    def _usable(self, concept: Concept, sentences: Iterable[str]) -> list[str]:
        found = self.without_targets(sentences)
        if not found:
            raise ConceptError(f"every sentence for {concept} names something that is erased. Add others.")
        return found

    def _pairs(self, templates: Callable[[Concept, str], list[str]]) -> list[PromptPair]:
        return [
            PromptPair(template, name, concept.anchor, index)
            for index, concept in enumerate(self.concepts)
            for name in concept.names
            for template in templates(concept, name)
        ]

    def without_targets(self, sentences: Iterable[str]) -> list[str]:
        """The sentences that mention no target: `a red {}` cannot help to erase red, nor stay as it is."""
        sentences = list(sentences)
        for sentence in sentences:
            if sentence not in self._told:
                self._told[sentence] = self.any_target.within(sentence)
        return [sentence for sentence in sentences if not self._told[sentence]]

    @cached_property
    def _told(self) -> dict[str, bool]:
        """Whether a sentence mentions a target, of those asked for so far: a thousand names share their sentences."""
        return {}

    @cached_property
    def any_target(self) -> Mentions:
        """Finds the targets, in any of their forms, in a text."""
        forms = (form for concept in self.concepts for form, _ in self.forms(concept).values())
        return Mentions([*self.names, *forms])

    def joined(self, other: Request) -> Request:
        """Both requests as one; raises ConceptError when they contradict each other."""
        preserves = dict.fromkeys(self.preserves + other.preserves)
        everyday = dict.fromkeys(self.everyday + other.everyday)
        both = Request(self.concepts + other.concepts, tuple(preserves), tuple(everyday))
        # Handed on, so that a thousand requests that are joined one by one are not looked through a thousand times.
        conflicts = self._conflicts
        del vars(self)["_conflicts"]
        vars(both)["_conflicts"] = _consistent(conflicts, other)
        return both

    @cached_property
    def _conflicts(self) -> Conflicts:
        """What its lines contradict; raises ConceptError when they contradict each other."""
        return _consistent(Conflicts(), self)


def checked(request: Request) -> Request:
    """The same request; raises ConceptError when it asks for two things that cannot both be."""
    return request.joined(Request(()))


def _consistent(conflicts: Conflicts, request: Request) -> Conflicts:
    """The lines so far and those of a request; raises ConceptError for the first that cannot stand beside others."""
    reason = conflicts.keep(request.preserves) or next(filter(None, map(conflicts.add, request.concepts)), None)
    if reason is not None:
        raise ConceptError(reason)
    return conflicts


def unlisted_forms(concept: Concept) -> dict[str, tuple[str, str]]:
    """By name, the form of it that people also write and that is not listed, and the anchor in the same form."""
    known = {key(name) for name in (*concept.names, concept.anchor)}
    forms = {name: concept.kind.unlisted_form(name) for name in concept.said_once}
    return {name: (form, _in_form(concept, form)) for name, form in forms.items() if key(form) not in known}


def _in_form(concept: Concept, form: str) -> str:
    """The anchor as a possessive, or in the number that a form has; an anchor of several words is taken as it is."""
    anchor, kind = concept.anchor, concept.kind
    as_it_is = " " in anchor or (not kind.proper_names and is_plural(form) == is_plural(anchor))
    return anchor if as_it_is else kind.unlisted_form(anchor)
