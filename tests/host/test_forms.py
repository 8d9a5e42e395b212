"""Forms of a name that people also write, such as its plural, are erased with it."""

from __future__ import annotations

import pytest

from erasepro_core import Options, parse_request, solve_request
from erasepro_core.concept import unlisted_forms
from erasepro_core.plan import make_plan
from tests import pack
from tests.mini import classifier, world
from tests.mini.request import mini_request
from tests.mini.tasks import everyday

FEW = {"templates": 8, "own_tokens": False}
CATS = parse_request("cat -> dog", "object")


def solved_on(host, mini, request, **options) -> set[str]:
    """The names in the sentences that a request is solved on."""
    plan = make_plan(request, Options.named(**FEW | options), host.HostPath(*mini[:2]), ())
    return {pair.target for pair in plan.pairs}


def test_a_plural_goes_with_its_singular(words):
    """On an encoder that knows English."""
    solve, usual = pack.module("nodes.solve").solve_and_check, FEW | {"templates": 14}
    with_forms, without = (
        solve(*words[:2], CATS, Options.named(**usual, forms=forms)).leak_unlisted[0] for forms in (True, False)
    )
    assert without > 0.3
    assert with_forms < 0.6 * without


def test_few_sentences_have_few_forms(host, mini):
    """In narrow layers a form that stood in as many sentences as its name would cost the name its room."""
    path, request = host.HostPath(*mini[:2]), mini_request("circle -> square", "object")
    for count, forms in (4, 1), (14, 2), (28, 4):
        plan = make_plan(request, Options.named(templates=count), path, ())
        assert len(plan.pairs) - len(plan.named) == forms


def test_the_form_becomes_the_anchor_in_the_same_form():
    (concept,) = parse_request("cat | wolves -> dog", "object").concepts
    assert unlisted_forms(concept) == {"cat": ("cats", "dogs"), "wolves": ("wolf", "dog")}
    (concept,) = parse_request("nude -> a person wearing clothes", "explicit content").concepts
    assert unlisted_forms(concept) == {"nude": ("nudes", "a person wearing clothes")}


@pytest.mark.parametrize(
    ("text", "kind", "options", "names"),
    [
        ("circle -> square", "object", {}, {"circle", "circles"}),
        ("circle -> square", "object", {"forms": False}, {"circle"}),
        ("circle -> square", "object", {"method": "UCE"}, {"circle"}),
        ("circle | circles -> square", "object", {}, {"circle", "circles"}),
        ("Hokusai -> art", "style", {}, {"Hokusai"}),
        ("circle -> circles", "object", {}, {"circle"}),
        ("circle -> square\nstar -> circles", "object", {}, {"circle", "star", "stars"}),
    ],
)
def test_what_is_solved_on(host, mini, text, kind, options, names):
    assert {name for name in solved_on(host, mini, mini_request(text, kind), **options)} == names


def test_a_form_that_is_preserved_stays(host, mini):
    assert solved_on(host, mini, mini_request("circle -> square", "object", "circles")) == {"circle"}


def test_a_sentence_with_a_form_is_no_everyday_prompt():
    request = parse_request("cat -> dog", "object", "", "two cats on a roof\na boat")
    assert request.without_targets(request.everyday) == ["a boat"]


@pytest.mark.parametrize(
    ("text", "preserve", "options", "words"),
    [
        ("circle -> square", "", {}, {"circle", "circles"}),
        ("circle -> square", "", {"forms": False}, {"circle"}),
        ("circle -> square", "circles", {}, {"circle"}),
        ("circle -> square\nstar -> circles", "", {}, {"circle", "star", "stars"}),
    ],
)
def test_the_table_changes_the_same_forms(host, mini, text, preserve, options, words):
    request, path = mini_request(text, "object", preserve), host.HostPath(*mini[:2])
    solution = solve_request(request, Options.named(templates=2, **options), path)
    assert set(solution.own_words) == words


@pytest.mark.parametrize(("name", "anchor"), [("circle", "star"), ("square", "triangle")])
def test_no_picture_shows_a_plural_that_nobody_listed(host, mini, name, anchor):
    """`triangles` is two tokens and `squares` one: it gets the meaning of `triangle`, and not of a part of a word."""
    from tests.mini.sample import sample

    def shown(loaded, thing: str) -> float:
        prompts = [f"a photo of {world.PLURALS[name]}", f"red {world.PLURALS[name]}"] * 8
        seen = classifier.classify(sample(loaded[0], loaded[1], mini[2], prompts, seed=40, steps=10))["object"]
        return float((seen == world.OBJECTS.index(thing)).float().mean())

    request = mini_request(f"{name} -> {anchor}", "object", everyday="\n".join(everyday()))
    path = host.HostPath(*mini[:2])
    updates, listed = (solve_request(request, Options(forms=forms), path).updates for forms in (True, False))
    assert shown(mini[:2], name) == 1.0
    assert shown(host.with_erasure(*mini[:2], listed, 1.0), name) == 1.0
    assert shown(host.with_erasure(*mini[:2], updates, 1.0), name) == 0.0
    assert shown(host.with_erasure(*mini[:2], updates, 1.0), anchor) == 1.0
