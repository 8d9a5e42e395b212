"""Laws of concept text, alignment and plain values, on made-up input."""

import json
import math
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from erasepro_core import ConceptError, parse_request
from erasepro_core.align import TokenRow, align
from erasepro_core.concept_text import line_errors
from erasepro_core.mention import mentions
from erasepro_core.plain import as_json

WORDS = st.text(st.sampled_from("abÄß'é中 \t-.,|>#{}()\\:1"), max_size=12)
LINES = st.builds(lambda *parts: "".join(parts), WORDS, st.sampled_from(["", "->", " -> ", "|", " | "]), WORDS)
TEXTS = st.one_of(st.lists(LINES, max_size=5).map("\n".join), st.text(max_size=60))


@given(TEXTS, TEXTS)
def test_a_text_is_a_request_or_a_reason_and_never_anything_else(text, preserve):
    errors = line_errors(text, "object", preserve)
    try:
        request = parse_request(text, "object", preserve)
    except ConceptError as error:
        assert str(error)
        assert errors or "is empty" in str(error) or str(error).startswith("preserve, line ")
        return
    assert errors == {}
    again = parse_request("\n".join(map(str, request.concepts)), "object", "\n".join(request.preserves))
    assert again == request


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_no_request_erases_its_own_anchor(names):
    lines = [f"{name} -> {anchor}" for name, anchor in zip(names, names[1:] + names[:1], strict=True)]
    try:
        request = parse_request("\n".join(lines), "object")
    except ConceptError:
        return
    erased = {name for concept in request.concepts for name in concept.names}
    assert not erased & {concept.anchor for concept in request.concepts}


@given(WORDS, WORDS, WORDS)
def test_a_name_is_found_between_other_words(before, name, after):
    name = " ".join(name.split())
    assume(name)
    assert mentions(f"{before} {name} {after}", name)


ROWS = st.builds(
    lambda prefix, concept, suffix: (prefix, concept, suffix),
    *(st.lists(st.integers(1, 6), max_size=6) for _ in range(3)),
)


@given(st.data(), st.integers(0, 1), st.integers(0, 3), st.integers(0, 20))
def test_alignment_gives_every_target_token_one_answer_in_order(data, start, tail, padding):
    prefix, target, suffix = data.draw(ROWS)
    anchor = data.draw(st.lists(st.integers(1, 6), max_size=6))
    assume(target)

    def row(concept: list[int]) -> TokenRow:
        words = [*prefix, *concept, *suffix]
        ids = [90] * start + words + [91] * tail + [0] * (padding + 6 - len(concept))
        return TokenRow(tuple(ids), start, start + len(words), tail)

    one, other = row(target), row(anchor)
    assume(len(other.ids) > other.start)
    found = align(one, other, (len(prefix), len(prefix)))
    assert all(0 <= t < len(one.ids) and 0 <= a < len(other.ids) for t, a in found.columns)
    words = [t for t, _ in (*found.concept, *found.suffix)]
    assert words == [*range(one.start + len(prefix), one.end + tail)]  # all behind the prefix, each once
    assert [a for _, a in found.concept] == sorted(a for _, a in found.concept)
    assert all(one.ids[t] == other.ids[a] for t, a in found.suffix)
    assert align(one, one, (len(prefix), len(prefix))).columns == tuple((t, t) for t, _ in align(
        one, one, (len(prefix), len(prefix))).columns)  # fmt: skip


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_every_value_leaves_as_json_that_every_reader_takes(value):
    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is no JSON")

    assert _same(json.loads(as_json(value), parse_constant=refuse), value)


def _same(read: Any, value: Any) -> bool:
    if isinstance(value, dict):
        return list(read) == list(value) and all(_same(read[name], value[name]) for name in value)
    if isinstance(value, list):
        return len(read) == len(value) and all(map(_same, read, value))
    if isinstance(value, float) and not math.isfinite(value):
        return read is None
    return read == value
