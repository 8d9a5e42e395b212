"""What people may write and what they are told when it makes no sense."""

import re
from collections import Counter
from collections.abc import Mapping

import pytest

from erasepro_core.compound import left_out, related_phrases, with_other_words
from erasepro_core.concept import (
    KINDS,
    ConceptError,
    PromptPair,
    kind_named,
)
from erasepro_core.concept_text import line_errors, parse_request
from erasepro_core.conflicts import Conflicts
from erasepro_core.neighbours import Neighbour, fitted, probed
from erasepro_core.neutral import FIT_PROMPTS, PROBE_PROMPTS
from erasepro_core.prompts import MIXED_IN_ALL, Prompts


def test_a_line_holds_a_target_its_aliases_and_its_anchor():
    (concept,) = parse_request("Van Gogh | Vincent  van Gogh -> an artist", "style").concepts
    assert concept.names == ("Van Gogh", "Vincent van Gogh")
    assert concept.anchor == "an artist"
    assert str(concept) == "Van Gogh | Vincent van Gogh -> an artist"


def test_commas_belong_to_a_concept_and_comments_to_nobody():
    request = parse_request("# relatives\n\nsnow, ice -> sand\n  # more\n", "object", "rain\n\n# no\nwind , sun")
    assert [concept.names for concept in request.concepts] == [("snow, ice",)]
    assert request.preserves == ("rain", "wind , sun")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_line_without_an_arrow_takes_the_anchor_of_its_kind(kind):
    (concept,) = parse_request("something", kind.name).concepts
    assert concept.anchor == kind.default_anchor != ""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_unseen_sentences_are_never_solved_on(kind):
    assert not set(kind.templates) & set(kind.unseen)
    assert all(sentence.count("{}") == 1 for sentence in kind.templates + kind.unseen)
    assert len(set(kind.templates)) == len(kind.templates)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "text is empty"),
        ("# only a comment", "text is empty"),
        ("cat -> dog\na ->", r"line 2: 'a ->' has nothing after the arrow.*leave the arrow out.*'thing'"),
        ("-> b", "line 1: '-> b' has an empty target"),
        ("cat | -> dog", "line 1: .* has an empty target"),
        ("a -> b -> c", "line 1: the anchor 'b -> c' must be one phrase"),
        ("a -> b | c", "line 1: the anchor 'b | c' must be one phrase"),
        ("cat ->  cat", "line 1: 'cat' is its own anchor"),
        ("kitten | cat -> cat", "'cat' is its own anchor"),
        ("cat -> dog\nCAT -> bird", "'CAT' is asked to become both 'dog' and 'bird'"),
        ("embedding:cat -> dog", "not plain words"),
    ],
)
def test_text_that_makes_no_sense_is_refused_with_its_line(text, says):
    with pytest.raises(ConceptError, match=says):
        parse_request(text, "object")


def test_a_concept_cannot_be_erased_and_preserved():
    with pytest.raises(ConceptError, match="'Dog' stands in the concepts to erase and in the preserves"):
        parse_request("cat -> bird\nDog -> bird", "object", "horse\ndog")


@pytest.mark.parametrize(
    ("text", "anchored", "erasing"),
    [
        ("circle -> square\nsquare -> star", "circle -> square", "square -> star"),  # a chain
        ("square -> star\ncircle -> square", "circle -> square", "square -> star"),  # in any order
        ("circle -> square\nsquare -> circle", "circle -> square", "square -> circle"),  # a swap
        ("circle -> star\nsquare -> circle\nstar -> square", "square -> circle", "circle -> star"),  # a ring
        ("circle -> square\nheart | Square -> star", "circle -> square", "heart | Square -> star"),  # an alias
    ],
)
def test_an_anchor_that_another_line_erases_is_refused_by_both_lines(text, anchored, erasing):
    says = f"is the anchor of '{anchored}', but '{erasing}' erases it. Name another anchor"
    with pytest.raises(ConceptError, match=re.escape(says)):
        parse_request(text, "object")
    assert says in next(iter(line_errors(text, "object").values()))
    with pytest.raises(ConceptError, match=re.escape(says)):
        parse_request(anchored, "object").joined(parse_request(erasing, "object"))


def test_lines_that_share_an_anchor_or_a_word_of_it_agree():
    request = parse_request("cat -> dog\nhorse -> dog\nhouse dog -> goat\ndoghouse -> tent", "object")
    assert len(request.concepts) == 4


def test_every_bad_line_is_named_while_the_good_ones_stand():
    text = "cat -> dog\n# a comment\na ->\n\n-> b\nCAT -> bird\nhorse"
    errors = line_errors(text, "object", "Horse")
    assert list(errors) == [3, 5, 6, 7]
    assert errors[3].startswith("'a ->' has nothing after the arrow")
    assert "to become both 'dog' and 'bird'" in errors[6]
    assert "in the preserves" in errors[7]
    assert line_errors("cat -> dog\nhorse", "object") == {}


def test_requests_join_unless_they_contradict_each_other():
    first, second = parse_request("cat -> dog", "object", "horse"), parse_request("Monet -> art", "style", "horse\nsea")
    joined = first.joined(second)
    assert [concept.kind.name for concept in joined.concepts] == ["object", "style"]
    assert joined.preserves == ("horse", "sea")
    with pytest.raises(ConceptError, match="'cat' is asked to become both 'dog' and 'bird'"):
        first.joined(parse_request("cat -> bird", "object"))


def test_joined_one_by_one_every_line_is_looked_at_once(monkeypatch):
    added: list[str] = []
    add = Conflicts.add
    monkeypatch.setattr(Conflicts, "add", lambda self, line: added.append(str(line)) or add(self, line))
    parts = [parse_request(f"name{n} -> anchor{n}", "object", f"kept{n}") for n in range(50)]
    added.clear()
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.joined(part)
    assert added == [str(part.concepts[0]) for part in parts[1:]]
    assert joined == parse_request(
        "\n".join(f"name{n} -> anchor{n}" for n in range(50)), "object", "\n".join(f"kept{n}" for n in range(50))
    )


def test_a_request_can_be_joined_twice_and_after_a_contradiction():
    first = parse_request("cat -> dog", "object")
    with pytest.raises(ConceptError, match="'cat' is asked"):
        first.joined(parse_request("cat -> bird\nhorse -> cow", "object"))
    one, other = (first.joined(parse_request(text, "object")) for text in ("horse -> cow", "horse -> goat"))
    assert [each.concepts[1].anchor for each in (one, other)] == ["cow", "goat"]
    for again in (first, one):
        with pytest.raises(ConceptError, match="'cat' stands in the concepts to erase and in the preserves"):
            again.joined(parse_request("moon -> sun", "object", "Cat"))


def test_an_unknown_kind_is_named():
    with pytest.raises(ConceptError, match="no kind 'animal'; the kinds are object, style, person, explicit content"):
        kind_named("animal")


def test_every_name_is_said_in_every_sentence():
    request = parse_request("cat | kitten -> dog", "object")
    pairs, second = request.pairs(3), request.concepts[0].kind.templates[1]
    assert [(p.target_prompt, p.anchor_prompt) for p in pairs[:2]] == [
        ("cat", "dog"),
        (second.replace("{}", "cat"), second.replace("{}", "dog")),
    ]
    assert len(pairs) == 6
    assert pairs[4].target_prefix == pairs[4].anchor_prefix == second.partition("{}")[0]


def test_commas_bring_the_shorter_sentence_to_the_position_of_the_longer():
    longer, shorter = (
        PromptPair("a {} here", "cat", "dog", 0, shift=2),
        PromptPair("a {} here", "cat", "dog", 0, shift=-1),
    )
    assert (longer.target_prompt, longer.anchor_prompt) == ("a cat here", ", , a dog here")
    assert (shorter.target_prompt, shorter.anchor_prompt) == (", a cat here", "a dog here")
    assert (shorter.target_prefix, shorter.anchor_prefix) == (", a ", "a ")


def test_sentences_that_mention_a_target_are_left_out():
    request = parse_request("red | ice cream -> blue", "object")
    kept = request.without_targets(["a red car", "a Red", "a redder car", "an ice cream", "ice and cream"])
    assert kept == ["a redder car", "ice and cream"]
    assert not any("red" in pair.template.split() for pair in request.pairs(24))


def test_a_compound_protects_its_parts_and_a_name_does_not():
    (compound,) = parse_request("red circle -> blue square", "object").concepts
    assert related_phrases(compound) == ["red", "circle", "blue circle", "red square"]
    (listed,) = parse_request("red circle | circle -> square", "object").concepts
    assert related_phrases(listed) == ["red"]
    (name,) = parse_request("Van Gogh -> an artist", "style").concepts
    assert related_phrases(name) == []


@pytest.mark.parametrize(
    ("line", "kind", "left"),
    [
        ("red cup -> cup", "object", "red"),
        ("Red  Cup -> a cup", "object", "Red"),
        ("a red cup -> the cup", "object", "red"),
        ("mug | old red cup -> cup", "object", "old red"),
        ("bare robot -> robot", "explicit content", "bare"),
        ("red cup -> blue cup", "object", ""),
        ("bare robot -> robot wearing a coat", "explicit content", ""),
        ("the cup -> a cup", "object", ""),
        ("cup -> bowl", "object", ""),
        ("Hokusai print -> print", "style", ""),
    ],
)
def test_an_anchor_may_only_leave_out_words(line, kind, left):
    (concept,) = parse_request(line, kind).concepts
    assert left_out(concept) == left


def test_the_words_of_a_compound_stand_beside_other_words_and_never_beside_each_other():
    (compound,) = parse_request("red car | old red car -> blue car", "object").concepts
    phrases = with_other_words(compound)
    assert {"red dog", "red chair", "green car", "old red dog"} <= set(phrases)
    assert not {"red car", "old red car", "blue car"} & set(phrases)
    assert with_other_words(parse_request("car -> bus", "object").concepts[0]) == []
    assert with_other_words(parse_request("Van Gogh -> an artist", "style").concepts[0]) == []
    assert with_other_words(parse_request("bare robot -> robot", "explicit content").concepts[0]) == []
    own = parse_request(
        "red car -> blue car", "object", sentences="\n".join(f"{{}}, {n}" for n in range(4)), only_own=True
    )
    assert with_other_words(own.concepts[0]) == []


def test_half_of_these_phrases_are_solved_on_and_the_others_are_measured():
    request = parse_request("red car -> blue car\nwooden chair -> chair", "object")
    found = Prompts(request, request.pairs(2), request.unseen_pairs(1), [], 1)
    beside, *_ = found.apart
    solved, measured = set(found.mixed.values()), {found.groups["related"][prompt] for prompt in beside}
    assert len(solved) == pytest.approx(len(measured), abs=4)
    assert {"red dog", "red cat"} <= solved | measured
    assert not solved & measured
    assert {*found.mixed, *beside} <= set(found.all())


def _sentences(prompts: Mapping[str, str]) -> set[str]:
    """The sentences of some prompts, with `{}` where the name was."""
    return {prompt.replace(name, "{}") for prompt, name in prompts.items()}


def test_what_must_stay_stands_in_all_sentences_and_not_in_the_first_few():
    """A red dog held in four sentences kept its colour in these, and lost it in `a photo of a red dog`."""
    request = parse_request("red car -> blue car", "object", "\n".join(f"tower {n}" for n in range(9)))
    near = [Neighbour(f"thing {n}", 1.0, 0) for n in range(60)]
    found = Prompts(request, request.pairs(2), request.unseen_pairs(1), near, 4)
    every = set(request.templates(request.concepts[0]))
    assert _sentences(found.mixed) == _sentences(found.near) == _sentences(found.preserves) == every


def test_a_preserved_name_stands_in_as_many_sentences_as_asked_and_alone_among_them():
    request = parse_request("cat -> dog", "object", "tower\nbridge")
    for count in (1, 2, 4, 100):
        preserves = Prompts(request, request.pairs(1), request.unseen_pairs(1), [], count).preserves
        assert {"tower", "bridge"} <= set(preserves)
        expected = min(count, len(request.templates(request.concepts[0])))
        assert Counter(preserves.values()) == {"tower": expected, "bridge": expected}


def test_nothing_that_drift_is_measured_on_is_solved_on():
    request = parse_request("red car -> blue car\ncat -> dog", "object", "tower\nbridge")
    near = [Neighbour(f"thing {n}", 1.0, 0, alike=n < 3) for n in range(12)]
    found = Prompts(request, request.pairs(28), request.unseen_pairs(9), near, 4)
    solved = {*found.anchors, *found.preserves, *found.related, *found.mixed, *found.near, *found.fit}
    for name, group in found.groups.items():
        assert group and not solved & set(group), name
    assert {*found.groups["preserves"].values()} == {"tower", "bridge"}
    assert {"red", "car"} <= {*found.groups["related"].values()}


def test_many_compounds_share_the_room_for_these_phrases():
    lines = [
        f"{colour} {thing} -> thing" for colour in ("red", "green", "blue") for thing in ("car", "cup", "hat", "bus")
    ]
    request = parse_request("\n".join(lines), "object")
    found = Prompts(request, request.pairs(1), request.unseen_pairs(1), [], 1)
    assert len({*found.mixed.values()}) <= MIXED_IN_ALL // 2
    words = {word for phrase in found.mixed.values() for word in phrase.split()}
    assert {"red", "green", "blue", "car", "cup", "hat", "bus"} <= words


def test_of_explicit_content_only_what_the_anchor_says_too_is_protected():
    text = "nude person | a person without clothes -> a person wearing clothes"
    (concept,) = parse_request(text, "explicit content").concepts
    assert related_phrases(concept) == ["person", "a", "clothes"]
    (thing,) = parse_request(text, "object").concepts
    assert {"nude", "without"} <= set(related_phrases(thing))


def test_own_sentences_come_before_the_built_in_ones():
    (concept,) = parse_request("cat -> dog", "object", sentences="a {} in my style\n\n# no\nlook, {}").concepts
    assert concept.templates()[:2] == ["a {} in my style", "look, {}"]
    assert set(concept.kind.templates) < set(concept.templates())
    assert concept.unseen() == concept.kind.unseen


def test_own_sentences_can_replace_them_and_every_fifth_is_held_out():
    own = [f"{{}} number {n}" for n in range(1, 12)]
    (concept,) = parse_request("cat -> dog", "object", sentences="\n".join(own), only_own=True).concepts
    assert concept.unseen() == (own[4], own[9])
    assert concept.templates() == [sentence for sentence in own if sentence not in concept.unseen()]
    (few,) = parse_request("cat -> dog", "object", sentences="look, {}", only_own=True).concepts
    assert few.unseen() == few.kind.unseen  # too few to hold one out


@pytest.mark.parametrize(("sentences", "says"), [("a photo", "has 0 places"), ("{} and {}", "has 2 places")])
def test_a_sentence_needs_one_place_for_a_name(sentences, says):
    with pytest.raises(ConceptError, match=says):
        parse_request("cat -> dog", "object", sentences=sentences)


def test_without_the_built_in_sentences_there_must_be_own_ones():
    with pytest.raises(ConceptError, match="switched off, but there are none of your own"):
        parse_request("cat -> dog", "object", only_own=True)
    with pytest.raises(ConceptError, match=r"every sentence for .* names something that is erased"):
        parse_request("cat -> dog", "object", sentences="a cat and {}", only_own=True).pairs(3)


def test_long_sentences_follow_the_first_few_where_they_are_read():
    (concept,) = parse_request("cat -> dog", "object").concepts
    assert concept.templates(long=True)[:5] == [*concept.kind.templates[:4], concept.kind.long_templates[0]]
    assert not set(concept.kind.long_templates) & set(concept.templates())


STOP = {"the", "and", "are", "was", "with", "for", "from", "its", "his", "her", "their", "this", "that", "into"}


def words(sentences) -> set[str]:
    return {word for s in sentences for word in re.findall(r"[a-z]{3,}", s.lower()) if word not in STOP}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_held_out_shares_few_words_with_what_is_solved_on(kind):
    solved = words((*kind.templates, *kind.long_templates))
    held_out = words((*kind.unseen, *(s for group in kind.variations.values() for s in group)))
    assert len(held_out) > 40
    assert len(held_out & solved) < 0.2 * len(held_out)


def test_everyday_prompts_that_are_measured_are_not_solved_on():
    assert not set(FIT_PROMPTS) & set(PROBE_PROMPTS)
    assert len(set(FIT_PROMPTS)) == len(FIT_PROMPTS) > 400


def test_held_out_sentences_that_all_name_a_target_are_refused():
    own = "\n".join([*(f"{{}} number {n}" for n in range(4)), "a dog and {}"])
    request = parse_request("cat -> bird\ndog -> bird", "object", sentences=own, only_own=True)
    assert request.pairs(4)
    with pytest.raises(ConceptError, match=r"every sentence for cat -> bird names something that is erased"):
        request.unseen_pairs()


def test_no_neighbour_is_lost_to_a_sentence_that_names_a_target():
    near = [Neighbour(name, 0.3, 0) for name in ("bowl", "jar", "crate", "sack", "bucket", "box", "trunk", "case")]
    request = parse_request("lemon -> pear", "object", sentences="a lemon beside {}\na table and {}\nlook, {}")
    prompts = Prompts(request, request.pairs(2), request.unseen_pairs(1), near, 1)
    for each in fitted(near):
        assert any(each.name in prompt for prompt in prompts.near), each.name
    assert set(prompts.groups["neighbours"].values()) == {each.name for each in probed(near)}
