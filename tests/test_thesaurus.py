"""What the thesaurus says of English words, and that its file is what its makers say."""

from __future__ import annotations

import pytest

from erasepro_core.texts import lines, sections
from erasepro_core.thesaurus import NO_NOUN, RANKS, Relation, kinds_of, relations, synonyms


@pytest.mark.parametrize(
    ("name", "word", "expected"),
    [
        ("car", "automobile", Relation.NAME),
        ("cars", "Automobiles", Relation.NAME),
        ("gun", "revolver", Relation.NAME),
        ("gun", "guns", Relation.NAME),
        ("rabbit", "hare", Relation.SELDOM),
        ("airplane", "aircraft", Relation.BROADER),
        ("cup", "mug", Relation.SIBLING),
        ("cat", "dog", Relation.ALIKE),
        ("bottle", "bottled", Relation.OTHER),
        ("ghost", "paranormal", Relation.OTHER),
        ("tree", "forest", Relation.OTHER),
        ("mushroom", "shroom", Relation.UNKNOWN),
    ],
)
def test_a_word_is_a_name_something_alike_or_something_else(name, word, expected):
    assert relations([name], [word]) == [expected]


def test_a_kind_is_no_name_of_its_kinds_and_a_name_is_nearest_to_the_name_it_fits():
    assert relations(["revolver"], ["gun"]) != [Relation.NAME]
    assert relations(["revolver", "car"], ["automobile"]) == [Relation.NAME]


@pytest.mark.parametrize("name", ["Pikachu", "\u732b", "bare robot", "floral"])
def test_of_what_is_no_english_noun_it_says_nothing(name):
    assert relations([name], ["cat", "dog", "bottled"]) == [Relation.UNKNOWN] * 3
    assert synonyms([name]) == kinds_of([name]) == []


def test_words_for_the_same_come_apart_from_words_for_its_kinds():
    assert {"gun"} <= set(synonyms(["gun"]))
    assert {"firearm", "rifle", "revolver"} <= set(kinds_of(["gun"])) - set(synonyms(["gun"]))
    kinds = kinds_of(["gun"])
    assert kinds.index("firearm") < kinds.index("rifle") < kinds.index("carbine")


def test_a_line_is_a_meaning_one_step_below_the_one_before_it_at_most():
    found = sections("meanings")
    assert list(found)[-1] == NO_NOUN
    for sort, meanings in found.items():
        deepest = 0
        for line in meanings:
            depth = len(line) - len(line.lstrip())
            assert depth <= deepest, (sort, line)
            deepest = depth + 1
            assert all(word.rstrip(RANKS).replace("-", "").isalpha() for word in line.split()), line


def test_the_licence_of_the_words_stands_beside_them():
    assert "Princeton University" in "\n".join(lines("meanings-license"))
