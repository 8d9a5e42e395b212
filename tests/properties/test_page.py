"""The page's table and Python read the same rows from every concept text."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from erasepro_core import ConceptError, parse_request
from erasepro_core.concept_text import line_errors, line_names, read_if_plain
from erasepro_core.marks import ARROWS, said, split_lines
from erasepro_core.phrase import clean
from tests.browser.setup import node

SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x20\x85\xa0\u1680\u2003\u2028\u2029\u202f\u3000\ufeff"
MARKS = ["→", "=>", "｜", "＃", " # ", "//", "- ", "1. ", "①", "(", ")", ":1.2)", "\\(", "_", "\u200b", "\u200d", "<"]
PIECES = st.sampled_from(
    [*SPACES, *MARKS, "->", "|", "#", ",", "-", ">", "a", "B", "cat", "Ä", "中", "{}", "embedding:", "\r\n"]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=25).map("".join), st.text(max_size=60))

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def page() -> Iterator[Callable[[str], tuple[Rows, str]]]:
    """The page's own code in Playwright's Node.js: rows of a text, and the text of these rows."""
    command = [str(node()), str(Path(__file__).with_name("rows.mjs"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        asked: Any = process.stdin
        answers: Any = process.stdout

        def read(text: str) -> tuple[Rows, str]:
            asked.write(json.dumps(text) + "\n")
            asked.flush()
            return json.loads(answers.readline())

        yield read


@given(TEXTS)
@example("|- ->")
def test_the_page_and_python_read_the_same_rows(page, text):
    rows, _ = page(text)
    for line, row in zip(split_lines(text), rows, strict=True):
        assert ("quiet" in row) == (not said(line))
        if said(line):
            names = map(read_if_plain, (row["target"], *row["aliases"].split("|")))
            assert tuple(dict.fromkeys(name for name in names if name)) == line_names(line)
            assert clean(row["anchor"]) == clean(dict(enumerate(ARROWS.split(said(line), maxsplit=1))).get(1, ""))


@given(TEXTS)
@example("a\u2192\na\u2192B")
def test_what_the_page_writes_is_the_request_that_was_typed(page, text):
    _, written = page(text)
    try:
        request = parse_request(text, "object")
    except ConceptError:
        assert set(line_errors(written, "object")) <= set(line_errors(text, "object"))  # it makes no new error
        return
    assert parse_request(written, "object") == request
