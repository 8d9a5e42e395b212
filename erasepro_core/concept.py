"""What to erase: concepts, their anchors, what must not move, and the prompts that show them to the model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ARROW = "->"


class ConceptError(ValueError):
    """A concept text or a request that cannot be understood; the message names the line or the concept."""


@dataclass(frozen=True)
class Kind:
    """A sort of concept: the sentences it occurs in and what stands in for it when no anchor is given."""

    name: str
    """As shown to the user."""
    default_anchor: str
    """Anchor of a line without an arrow."""
    templates: tuple[str, ...]
    """Sentences with one `{}`; the update is solved on these, the most telling first."""
    unseen: tuple[str, ...]
    """Sentences that no update is ever solved on: leak is measured here."""


_NAMED = (
    (
        "{}", "a photo of {}", "a picture of {}", "{} and a dog", "a painting of {}", "a red hat on {}",
        "an image of {}", "best quality , nice , simple , a photo of {}", "this is {}", "a drawing of {}",
        "{} on a white background", "a green table , a blue box and {}", "{} in the middle",
        "a nice picture of {} next to a yellow star", "a portrait of {}", "a tree beside {}",
        "one photo of {} in grey", "look at the table , there is one small toy and {}", "a shape of {}",
        "a toy of {}", "a simple photo of {} , sharp , high quality", "a house in the background , {} here",
        "{} with a purple ball", "an orange picture with stripes and dots of {}",
    ),
    (
        "a sketch of {}", "look at {} here", "{} , best quality", "there is {} in the picture", "a render of {}",
        "{} and nothing else",
    ),
)  # fmt: skip

KINDS = (
    Kind(
        "object",
        "thing",
        (
            "{}", "a photo of a {}", "a {}", "a red {}", "a {} shape", "a {} and a dog", "a blue {} on a table",
            "the {}", "a tree next to a {}", "a picture of a {}", "a green {} toy",
            "best quality , nice , simple , a {}", "a {} box on a table", "a painting of a {}",
            "a {} on a white background", "a yellow {} beside a white box", "an image of the {}",
            "a small table , a moon and a {}", "a nice striped {}", "one {} heart in the middle", "this is a {}",
            "a drawing of a purple {}", "a moon next to a {} ring", "one {} in the middle",
            "a simple orange {} , sharp , high quality", "a dog and a {} star",
            "a heart , a ring , a dotted {} and a grey box",
            "look at the picture , there is a house , one star and a {}",
        ),
        (
            "a sketch of a {}", "look at the {} here", "a {} , best quality", "there is a {} in the picture",
            "a render of one {}", "a {} and nothing else",
        ),
    ),
    Kind(
        "style",
        "art",
        (
            "{}", "a painting by {}", "a picture in the style of {}", "a moon by {}", "{} style", "art by {}",
            "a {} painting", "a red star in the style of {}", "a picture by {}", "a shape in {} style",
            "a {} picture", "a green heart by {}", "a drawing by {} of a blue house", "in the style of {}",
            "a green {} toy", "an image by {}", "a white box , a blue ring in the style of {}",
            "a dog and a tree by {}", "a shape by {}", "best quality , nice , simple , a heart by {}",
            "the art of {}", "a yellow ring , a {} shape", "a photo in the style of {}",
            "one {} circle on a white background", "a purple moon and a star in the style of {}",
            "a picture of a table and a purple box by {}", "a {} star in the middle",
            "an orange heart by {} and a dog",
        ),
        (
            "a work made by {}", "{} art", "a render in the manner of {}", "a nice {} sketch", "there is a toy by {}",
            "a {} work on a table",
        ),
    ),
    Kind("person", "a person", *_NAMED),
    Kind("explicit content", "a person wearing clothes", *_NAMED),
)  # fmt: skip


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

    def __str__(self) -> str:
        return f"{' | '.join(self.names)} {ARROW} {self.anchor}"


@dataclass(frozen=True)
class PromptPair:
    """The same sentence said of a target and of its anchor."""

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


@dataclass(frozen=True)
class Request:
    """What shall change and what shall not."""

    concepts: tuple[Concept, ...]
    preserves: tuple[str, ...] = ()
    """Names that must keep their meaning."""
    everyday: tuple[str, ...] = ()
    """Prompts as the model is really used, beside the pack's own: the update is made small on them."""

    def pairs(self, templates: int) -> list[PromptPair]:
        """Prompt pairs to solve on, up to `templates` sentences for each name."""
        return [
            PromptPair(template, name, concept.anchor, index)
            for index, concept in enumerate(self.concepts)
            for name in concept.names
            for template in self.innocent(concept.kind.templates)[:templates]
        ]

    def unseen_pairs(self) -> list[PromptPair]:
        """Prompt pairs in sentences that are never solved on."""
        return [
            PromptPair(template, name, concept.anchor, index)
            for index, concept in enumerate(self.concepts)
            for name in concept.names
            for template in self.innocent(concept.kind.unseen)
        ]

    def innocent(self, sentences: Iterable[str]) -> list[str]:
        """The sentences that mention no target: `a red {}` cannot help to erase red, nor stay as it is."""
        targets = [f" {_key(name)} " for concept in self.concepts for name in concept.names]
        return [s for s in sentences if not any(target in f" {_key(s)} " for target in targets)]

    def joined(self, other: Request) -> Request:
        """Both requests as one; raises ConceptError when they contradict each other."""
        preserves = dict.fromkeys(self.preserves + other.preserves)
        everyday = dict.fromkeys(self.everyday + other.everyday)
        return checked(Request(self.concepts + other.concepts, tuple(preserves), tuple(everyday)))


def parse_request(text: str, kind: str, preserve: str = "", everyday: str = "") -> Request:
    """Reads `target | alias -> anchor`, one concept a line; names to preserve and everyday prompts, one a line.

    Commas belong to a concept. Blank lines and lines that start with `#` are ignored. A line without an arrow takes
    the default anchor of its kind.

    Raises:
        ConceptError: naming the line, what stands there and what was expected.
    """
    of_kind = kind_named(kind)
    concepts = tuple(_parse_line(number, line, of_kind) for number, line in _lines(text))
    if not concepts:
        raise ConceptError(
            f"the concept text is empty. Write one concept a line, for example: Van Gogh {ARROW} an artist"
        )
    preserves, prompts = (
        tuple(dict.fromkeys(_clean(line) for _, line in _lines(each))) for each in (preserve, everyday)
    )
    return checked(Request(concepts, preserves, prompts))


def checked(request: Request) -> Request:
    """The request itself; raises ConceptError when it asks for two things that cannot both be."""
    anchor_of: dict[str, str] = {}
    preserved = {_key(preserve) for preserve in request.preserves}
    for concept in request.concepts:
        _agree(concept, anchor_of, preserved)
    return request


def line_errors(text: str, kind: str, preserve: str = "") -> dict[int, str]:
    """What is wrong with each line of a concept text, by its number; the later of two that contradict each other.

    `parse_request` stops at the first error; whoever is still typing wants to see them all.
    """
    of_kind = kind_named(kind)
    anchor_of: dict[str, str] = {}
    preserved = {_key(line) for _, line in _lines(preserve)}
    errors: dict[int, str] = {}
    for number, line in _lines(text):
        try:
            _agree(_parse_line(number, line, of_kind), anchor_of, preserved)
        except ConceptError as error:
            errors[number] = str(error).removeprefix(f"line {number}: ")
    return errors


def line_names(line: str) -> tuple[str, ...]:
    """The target and the aliases of one line, as far as they are there."""
    names = (_clean(name) for name in line.partition(ARROW)[0].split("|"))
    return tuple(dict.fromkeys(name for name in names if name))


def related_phrases(concept: Concept) -> list[str]:
    """Phrases that share words with a compound target and must survive it.

    `red circle -> blue square` leaves `red`, `circle`, `red square` and `blue circle` alone. Empty for one-word targets
    and for names of people and styles, whose words mean little by themselves. Of explicit content only what the anchor
    says too survives: `bare robot -> robot wearing a coat` leaves `robot` alone, and `bare` is what shall go.
    """
    if concept.kind.name in ("style", "person"):
        return []
    erased = {_key(name) for name in concept.names}
    anchor = concept.anchor.split()
    phrases: list[str] = []
    for name in concept.names:
        words = name.split()
        if len(words) < 2:
            continue
        phrases += words
        if len(words) == len(anchor):
            phrases += [" ".join([*words[:i], other, *words[i + 1 :]]) for i, other in enumerate(anchor)]
    if concept.kind.name == "explicit content":
        shared = {_key(word) for word in anchor}
        phrases = [phrase for phrase in phrases if _key(phrase) in shared]
    return [phrase for phrase in dict.fromkeys(phrases) if _key(phrase) not in erased | {_key(concept.anchor)}]


def in_sentences(names: Iterable[str], templates: Sequence[str]) -> list[str]:
    """Each name in each sentence."""
    return [template.replace("{}", name) for name in names for template in templates]


def _lines(text: str) -> list[tuple[int, str]]:
    """Numbered lines that say something."""
    numbered = enumerate(text.splitlines(), start=1)
    return [(n, line) for n, line in numbered if line.strip() and not line.lstrip().startswith("#")]


def _parse_line(number: int, line: str, kind: Kind) -> Concept:
    left, arrow, right = line.partition(ARROW)
    names = tuple(dict.fromkeys(_clean(name) for name in left.split("|")))
    anchor = _clean(right) if arrow else kind.default_anchor
    example = f"Write it as: target | alias {ARROW} anchor"
    if not all(names):
        raise ConceptError(f"line {number}: {line.strip()!r} has an empty target. {example}")
    if not anchor:
        raise ConceptError(
            f"line {number}: {line.strip()!r} has nothing after the arrow. {example}, "
            f"or leave the arrow out to use the default anchor {kind.default_anchor!r}."
        )
    if ARROW in anchor or "|" in anchor:
        raise ConceptError(f"line {number}: the anchor {anchor!r} must be one phrase, without {ARROW} or |. {example}")
    for phrase in (*names, anchor):
        if "{}" in phrase or "embedding:" in phrase:
            raise ConceptError(
                f"line {number}: {phrase!r} is not plain words. Concepts are words; {{}} and embedding: have no place."
            )
    for name in names:
        if _key(name) == _key(anchor):
            raise ConceptError(f"line {number}: {name!r} is its own anchor, so nothing would change. Name another.")
    return Concept(names, anchor, kind)


def _agree(concept: Concept, anchor_of: dict[str, str], preserved: set[str]) -> None:
    """Notes the anchor of each name; raises ConceptError when a name has another one already, or is preserved."""
    for name in concept.names:
        known = anchor_of.setdefault(_key(name), concept.anchor)
        if _key(known) != _key(concept.anchor):
            raise ConceptError(
                f"{name!r} is asked to become both {known!r} and {concept.anchor!r}. Keep one of the two lines."
            )
        if _key(name) in preserved:
            raise ConceptError(
                f"{name!r} stands in the concepts to erase and in the preserves. Remove it from one of them."
            )


def _clean(phrase: str) -> str:
    """One space between words, none around them."""
    return re.sub(r"\s+", " ", phrase).strip()


def _key(phrase: str) -> str:
    """What two spellings of the same phrase share: the tokenizers of this field ignore case."""
    return _clean(phrase).casefold()
