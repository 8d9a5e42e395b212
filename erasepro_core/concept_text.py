"""The text that people write concepts in: `target | alias -> anchor`, one a line, as a checked request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from .concept import ARROW, Concept, ConceptError, Request, checked, kind_named
from .conflicts import Conflicts
from .kinds import Kind
from .marks import ARROWS, BARS, LINE_ENDS, MarkError, read_name, read_prompt, refuse_marks, said, split_lines
from .phrase import clean

EXAMPLE = f"Write it as: target | alias {ARROW} anchor"


def parse_request(
    text: str, kind: str, preserve: str = "", everyday: str = "", sentences: str = "", only_own: bool = False
) -> Request:
    """Reads `target | alias -> anchor`, one concept a line; names to preserve and everyday prompts, one a line.

    Commas belong to a concept. Blank lines and comments are ignored. A line without an arrow takes the default anchor
    of its kind. What stands around names (emphasis, escapes, list marks, other arrows) is read as in docs/spellings.md.

    Args:
        sentences: sentences to solve on, one a line, each with one `{}` where a name stands.
        only_own: whether they replace the built-in sentences.

    Raises:
        ConceptError: naming the line, what stands there and what was expected.
    """
    of_kind = kind_named(kind)
    concepts = tuple(_parse_line(number, line, of_kind) for number, line in _lines(text))
    preserves, prompts = _each("preserve", preserve, _read_preserve), _each("everyday prompts", everyday, read_prompt)
    return request_of(concepts, preserves, prompts, _each("your sentences", sentences, read_prompt), only_own)


def request_of(
    concepts: Iterable[Concept],
    preserves: Iterable[str],
    everyday: Iterable[str],
    sentences: tuple[str, ...],
    only_own: bool,
) -> Request:
    """A request of texts that are read already; raises ConceptError as `parse_request` does."""
    for sentence in sentences:
        if sentence.count("{}") != 1:
            raise ConceptError(
                f"the sentence {sentence!r} has {sentence.count('{}')} places for a name. Write {{}} once, where the "
                "name stands."
            )
    if only_own and not sentences:
        raise ConceptError("the built-in sentences are switched off, but there are none of your own. Write some.")
    found = tuple(replace(concept, sentences=sentences, only_own=only_own) for concept in concepts)
    if not found:
        raise ConceptError(
            f"the concept text is empty. Write one concept a line, for example: Van Gogh {ARROW} an artist"
        )
    return checked(Request(found, tuple(dict.fromkeys(preserves)), tuple(dict.fromkeys(everyday))))


def line_errors(text: str, kind: str, preserve: str = "") -> dict[int, str]:
    """What is wrong with each line of a concept text, by its number; the later of two that contradict each other.

    `parse_request` stops at the first error; whoever is still typing wants to see them all.
    """
    of_kind = kind_named(kind)
    conflicts = Conflicts(_each("preserve", preserve, read_if_plain))
    errors: dict[int, str] = {}
    for number, line in _lines(text):
        try:
            reason = conflicts.add(_parse_line(number, line, of_kind))
        except ConceptError as error:
            reason = str(error).removeprefix(f"line {number}: ")
        if reason:
            errors[number] = reason
    return errors


def lines_read(text: str, kind: str) -> dict[int, Concept | None]:
    """Each line of a text, by its number, as the concept that it is read as; None where it is none."""
    of_kind, found = kind_named(kind), dict.fromkeys(range(1, len(split_lines(text)) + 1))
    for number, line in _lines(text):
        try:
            found[number] = _parse_line(number, line, of_kind)
        except ConceptError:
            continue
    return found


def line_names(line: str) -> tuple[str, ...]:
    """The target and the aliases of one line, as far as they are there."""
    names = (read_if_plain(name) for name in BARS.split(ARROWS.split(said(line))[0]))
    return tuple(dict.fromkeys(name for name in names if name))


def stored_line(text: str, kind: str) -> Concept:
    """The concept of a line that a file has: its names and anchor as they are, which were read before they were saved.

    Raises:
        ConceptError: it is no concept.
    """
    if LINE_ENDS.search(text) or text.lstrip().startswith("#"):
        raise ConceptError("its request must name concepts one by one. Save the erasure again.")
    left, arrow, right = text.partition(ARROW)
    return _checked(
        1, text, [clean(name) for name in left.split("|")], clean(right) if arrow else None, kind_named(kind)
    )


def stored_text(concept: Concept) -> str:
    """The line that a file has of a concept."""
    return f"{' | '.join(concept.names)} {ARROW} {concept.anchor}"


def _lines(text: str) -> list[tuple[int, str]]:
    """What the lines say that are neither blank nor comments, with their numbers."""
    return [(n, content) for n, line in enumerate(split_lines(text), start=1) if (content := said(line))]


def _each(field: str, text: str, read: Callable[[str], str]) -> tuple[str, ...]:
    """Every line of a field as it is read, once."""
    found: dict[str, None] = {}
    for number, line in _lines(text):
        try:
            found[read(line)] = None
        except MarkError as error:
            raise ConceptError(f"{field}, line {number}: {error}") from error
    return tuple(name for name in found if name)


def read_names(field: str, text: str) -> tuple[str, ...]:
    """Names, one a line; raises ConceptError naming the field and the line."""
    return _each(field, text, _read_preserve)


def _read_preserve(line: str) -> str:
    if found := BARS.search(line) or ARROWS.search(line):
        raise MarkError(f"{line!r} has {found[0]!r}, which has no place here. Write one name a line.")
    return read_name(line)


def read_if_plain(phrase: str) -> str:
    """A name as it is read; as it is typed where it is refused."""
    try:
        return read_name(phrase)
    except MarkError:
        return clean(phrase)


def _parse_line(number: int, line: str, kind: Kind) -> Concept:
    try:
        refuse_marks(line)
        left, *right = ARROWS.split(line)
        if len(right) > 1 or (right and BARS.search(right[0])):
            anchor = clean(ARROWS.sub(ARROW, line[len(left) :])).removeprefix(ARROW).strip()
            raise MarkError(f"the anchor {anchor!r} must be one phrase, without {ARROW} or |. {EXAMPLE}")
        names = [read_name(name) for name in BARS.split(left)]
        return _checked(number, line, names, read_name(right[0]) if right else None, kind)
    except MarkError as error:
        raise ConceptError(f"line {number}: {error}") from error


def _checked(number: int, line: str, names: list[str], anchor: str | None, kind: Kind) -> Concept:
    """A concept of names and an anchor that are read; None for an anchor stands for the kind's own."""
    names, anchor = list(dict.fromkeys(names)), kind.default_anchor if anchor is None else anchor
    if not all(names):
        raise ConceptError(f"line {number}: {line.strip()!r} has an empty target. {EXAMPLE}")
    if not anchor:
        raise ConceptError(
            f"line {number}: {line.strip()!r} has nothing after the arrow. {EXAMPLE}, "
            f"or leave the arrow out to use the default anchor {kind.default_anchor!r}."
        )
    if ARROW in anchor or "|" in anchor:
        raise ConceptError(f"line {number}: the anchor {anchor!r} must be one phrase, without {ARROW} or |. {EXAMPLE}")
    for phrase in (*names, anchor):
        if "{}" in phrase or "embedding:" in phrase:
            raise ConceptError(
                f"line {number}: {phrase!r} is not plain words. Concepts are words; {{}} and embedding: have no place."
            )
    if anchor in names:
        raise ConceptError(f"line {number}: {anchor!r} is its own anchor, so nothing would change. Name another.")
    return Concept(tuple(names), anchor, kind)
