"""The text that people write concepts in: `target | alias -> anchor`, one a line, as a checked request."""

from __future__ import annotations

from dataclasses import replace

from .concept import ARROW, Concept, ConceptError, Request, checked, kind_named
from .conflicts import Conflicts
from .kinds import Kind
from .phrase import clean


def parse_request(
    text: str, kind: str, preserve: str = "", everyday: str = "", sentences: str = "", only_own: bool = False
) -> Request:
    """Reads `target | alias -> anchor`, one concept a line; names to preserve and everyday prompts, one a line.

    Commas belong to a concept. Blank lines and lines that start with `#` are ignored. A line without an arrow takes
    the default anchor of its kind.

    Args:
        sentences: sentences to solve on, one a line, each with one `{}` where a name stands.
        only_own: whether they replace the built-in sentences.

    Raises:
        ConceptError: naming the line, what stands there and what was expected.
    """
    of_kind = kind_named(kind)
    own = parse_sentences(sentences)
    if only_own and not own:
        raise ConceptError("the built-in sentences are switched off, but there are none of your own. Write some.")
    parsed = (_parse_line(number, line, of_kind) for number, line in _lines(text))
    concepts = tuple(replace(concept, sentences=own, only_own=only_own) for concept in parsed)
    if not concepts:
        raise ConceptError(
            f"the concept text is empty. Write one concept a line, for example: Van Gogh {ARROW} an artist"
        )
    preserves, prompts = (
        tuple(dict.fromkeys(clean(line) for _, line in _lines(each))) for each in (preserve, everyday)
    )
    return checked(Request(concepts, preserves, prompts))


def parse_sentences(text: str) -> tuple[str, ...]:
    """Sentences, one a line; raises ConceptError for one without a single `{}`."""
    found = tuple(dict.fromkeys(clean(line) for _, line in _lines(text)))
    for sentence in found:
        if sentence.count("{}") != 1:
            raise ConceptError(
                f"the sentence {sentence!r} has {sentence.count('{}')} places for a name. Write {{}} once, where the "
                "name stands."
            )
    return found


def line_errors(text: str, kind: str, preserve: str = "") -> dict[int, str]:
    """What is wrong with each line of a concept text, by its number; the later of two that contradict each other.

    `parse_request` stops at the first error; whoever is still typing wants to see them all.
    """
    of_kind = kind_named(kind)
    conflicts = Conflicts(line for _, line in _lines(preserve))
    errors: dict[int, str] = {}
    for number, line in _lines(text):
        try:
            reason = conflicts.add(_parse_line(number, line, of_kind))
        except ConceptError as error:
            reason = str(error).removeprefix(f"line {number}: ")
        if reason:
            errors[number] = reason
    return errors


def line_names(line: str) -> tuple[str, ...]:
    """The target and the aliases of one line, as far as they are there."""
    names = (clean(name) for name in line.partition(ARROW)[0].split("|"))
    return tuple(dict.fromkeys(name for name in names if name))


def _lines(text: str) -> list[tuple[int, str]]:
    """The lines that are neither blank nor comments, with their numbers."""
    numbered = enumerate(text.splitlines(), start=1)
    return [(n, line) for n, line in numbered if clean(line) and not clean(line).startswith("#")]


def _parse_line(number: int, line: str, kind: Kind) -> Concept:
    left, arrow, right = line.partition(ARROW)
    names = tuple(dict.fromkeys(clean(name) for name in left.split("|")))
    anchor = clean(right) if arrow else kind.default_anchor
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
        if name == anchor:
            raise ConceptError(f"line {number}: {name!r} is its own anchor, so nothing would change. Name another.")
    return Concept(names, anchor, kind)
