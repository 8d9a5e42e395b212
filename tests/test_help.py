"""Help pages in every language: the page takes <node>/<language>.md before <node>.md; all have the same parts."""

import json
import re

import pytest

from tests.pack import ROOT

DOCS = ROOT / "web" / "docs"
LANGUAGES = ("zh", "ja")
NODES = sorted(json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text()))


def parts(text: str) -> list[tuple[int, int, list[str]]]:
    """Of each section: its level, how many list items it has, and its pictures."""
    sections = re.split(r"^(?=#)", text, flags=re.MULTILINE)[1:]
    return [
        (
            len(section) - len(section.lstrip("#")),
            len(re.findall(r"^- ", section, re.MULTILINE)),
            re.findall(r"\]\((images/.+?)\)", section),
        )
        for section in sections
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("node", NODES)
def test_a_page_has_the_sections_items_and_pictures_of_the_english_one(node, language):
    english = (DOCS / f"{node}.md").read_text()
    assert parts((DOCS / node / f"{language}.md").read_text()) == parts(english)


@pytest.mark.parametrize("node", NODES)
def test_a_page_names_every_input_that_the_english_one_names(node):
    """Names of inputs are those of files and messages, so they stay English."""
    inputs = re.findall(r"^- \*\*(.+?)\*\*", re.split(r"^## ", (DOCS / f"{node}.md").read_text(), flags=re.M)[2], re.M)
    assert inputs
    for language in LANGUAGES:
        page = (DOCS / node / f"{language}.md").read_text()
        assert all(f"**{name}**" in page for name in inputs), [n for n in inputs if f"**{n}**" not in page]
