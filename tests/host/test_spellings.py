"""Names as people type them, against the tokenizers that the host ships, on tiny models."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch

from erasepro_core import ConceptError, Options, parse_request
from erasepro_core.align import content_positions
from erasepro_core.audit import audit_against, negative_remarks
from erasepro_core.encoded import encode_prompts
from erasepro_core.kinds import NAMED
from erasepro_core.measure import drift, weight_pairs
from erasepro_core.methods import Preserve
from erasepro_core.neutral import local_prompts
from erasepro_core.plan import make_plan
from erasepro_core.probes import OWN
from erasepro_core.progressive import solve_request
from erasepro_core.spellings import fitting, spelled_out, unread
from erasepro_core.table import own_tokens
from tests import pack
from tests.host.families import every_layer, quick

pytestmark = pytest.mark.usefixtures("comfy_library")
TWO = Options(templates=2, tolerance=1.0, own_tokens=False)
CASED, UNCASED = ("flux", "z_image"), "sd1"
CASES = {str: 28, str.lower: 4, str.upper: 4}
"""Sentences of a name as it is listed, and in its other cases."""


@pytest.fixture(scope="module")
def tiny():
    """A tiny model of a family, built once."""
    from tests.host.families import models

    built: dict[str, Any] = {}

    def model(name: str) -> Any:
        if name not in built:
            with torch.inference_mode():
                built[name] = models.MODELS[name]()
        return built[name]

    with quick(), every_layer():
        yield model


def path(built: Any) -> Any:
    return pack.module("nodes.host").HostPath(*built)


def solved(built: Any, request: Any, options: Options = TWO) -> tuple[Any, Any]:
    """The report and the live model that carries the erasure."""
    report = pack.module("nodes.solve").solve_and_check(*built, request, options)
    edited = pack.module("nodes.host").with_erasure(*built, report.solution.updates, 1.0)
    return report, path(edited)


def typed(model: Any, request: Any, after: Any) -> tuple[Any, Any]:
    """The audit with a prompt of the user's own, in a sentence that was solved on, and what it found of that prompt."""
    prompt = request.concepts[0].kind.templates[1].replace("{}", "pikachu")
    found = audit_against(request, path(model), after, 0.3, [prompt])
    (own,) = [finding for finding in found.findings if finding.group == OWN]
    assert own.prompt == prompt
    return found, own


@pytest.mark.parametrize("family", CASED)
def test_every_case_is_erased_where_the_tokenizer_tells_cases_apart(tiny, family):
    report, after = solved(tiny(family), parse_request("Pikachu -> mouse", "object"))
    assert report.solution.request.concepts[0].names == ("Pikachu", "pikachu", "PIKACHU")
    assert {check.pair.target for check in report.checks} == {"Pikachu", "pikachu", "PIKACHU"}
    found, own = typed(tiny(family), report.solution.request, after)
    assert (own.name, own.leak < 0.1) == ("pikachu", True)
    gone = replace(found, threshold=1.0)  # random weights: unseen sentences leak, whatever the spelling
    assert len(negative_remarks(gone, "blurry, pikachu")) == 1


@pytest.mark.parametrize("family", CASED)
def test_other_cases_leave_the_name_its_sentences(tiny, family):
    """In as many sentences as the name they would double what is left of it behind a language model."""
    live, text = path(tiny(family)), "\n".join(f"{name} -> mouse" for name in ("Pikachu", "Mario", "Sonic", "Kirby"))
    plan = make_plan(spelled_out(parse_request(text, "object"), live), Options(templates=28, forms=False), live, ())
    counts = Counter(pair.target for pair in plan.named)
    assert counts == {f(name): n for name in ("Pikachu", "Mario", "Sonic", "Kirby") for f, n in CASES.items()}


@pytest.mark.parametrize("family", CASED)
def test_a_case_that_nobody_erased_is_measured_as_typed(tiny, family, monkeypatch):
    monkeypatch.setattr("erasepro_core.spellings.cases", lambda name: [])
    report, after = solved(tiny(family), parse_request("Pikachu -> mouse", "object"))
    _, own = typed(tiny(family), report.solution.request, after)
    assert (own.name, own.leak > 0.5) == ("Pikachu", True)


def test_no_case_is_added_where_the_tokenizer_ignores_it(tiny):
    request = parse_request("Pikachu -> mouse", "object")
    assert spelled_out(request, path(tiny(UNCASED))) == request


@pytest.mark.parametrize("family", CASED)
def test_a_name_may_become_its_own_other_case_where_the_two_differ(tiny, family):
    with_cases = spelled_out(parse_request("Apple -> apple", "object"), path(tiny(family)))
    assert with_cases.concepts[0].names == ("Apple", "APPLE")
    assert parse_request(str(with_cases.concepts[0]), "object") == with_cases  # as a file has it


def test_a_name_is_its_own_anchor_in_any_case_where_the_tokenizer_ignores_it(tiny):
    with pytest.raises(ConceptError, match="reads 'Apple' and 'apple' as the same tokens"):
        solved(tiny(UNCASED), parse_request("Apple -> apple", "object"))


def test_a_chinese_name_is_erased_and_measured_in_chinese_sentences(tiny):
    model = tiny("z_image")
    report, after = solved(model, parse_request("猫 -> 狗", "object", "房子"))
    request = report.solution.request
    assert request.concepts[0].languages == ("zh",)
    assert {check.pair.template for check in report.checks} == set(request.concepts[0].kind.local["zh"][1][:3])
    prompt = request.concepts[0].kind.local["zh"][0][1].replace("{}", "猫")
    found = audit_against(request, path(model), after, 9.0, [prompt, "雪地里的猫在跑"])
    own = {finding.prompt: finding.leak for finding in found.findings if finding.group == OWN}
    assert set(own) == {prompt, "雪地里的猫在跑"}  # a name in the middle of a sentence is found
    assert own[prompt] < 0.1  # it was solved on
    assert not [finding for finding in found.findings if "s" in finding.prompt and finding.prompt.endswith("猫s")]
    assert len(negative_remarks(found, "模糊，一只猫")) == 1
    assert negative_remarks(found, "模糊，一只狗") == ()


@pytest.mark.parametrize(("text", "language"), [("猫 -> 狗", "zh"), ("ネコ -> イヌ", "ja")])
def test_everyday_prompts_and_neighbours_of_its_language_stay_where_the_model_reads_it(tiny, text, language):
    solution = solve_request(parse_request(text, "object"), TWO, path(tiny("z_image")))
    (kind,) = (concept.kind for concept in solution.request.concepts)
    assert solution.observed
    plan, near = solution.observed[0], [each.name for each in solution.neighbours]
    assert set(local_prompts([language], "solved on")) & set(plan.stays)
    assert set(local_prompts([language], "unseen")) & set(plan.groups["neutral"])
    assert set(near) <= set(kind.local_names[language])  # few are compared here, those of its language first
    own = [template.partition("{}") for part in kind.local[language] for template in part]
    assert all(any(p.startswith(a) and p.endswith(b) for a, _, b in own) for p in plan.groups["neighbours"])


@pytest.mark.parametrize(("family", "text"), [("z_image", "cat -> dog"), (UNCASED, "猫 -> 狗")])
def test_no_other_language_takes_part_where_no_name_is_in_it_or_the_model_does_not_read_it(tiny, family, text):
    solution = solve_request(parse_request(text, "object"), TWO, path(tiny(family)))
    assert solution.observed
    prompts = [*solution.observed[0].stays, *(each.name for each in solution.neighbours)]
    kind = solution.request.concepts[0].kind
    others = {*local_prompts(NAMED, "solved on"), *local_prompts(NAMED, "unseen"), *kind.names_in(NAMED)}
    assert not (others - {*kind.names, "狗"}) & set(prompts)


def test_everyday_prompts_in_chinese_move_less_than_without_them(tiny, monkeypatch):
    """On prompts that are in neither: held out, so that they tell what the others are good for."""
    request, moved = parse_request("猫 | 小猫 -> 狗", "object"), []
    held_out = local_prompts(["zh"], "unseen")
    for names in (("zh", "ja"), ()):
        if not names:
            monkeypatch.setattr("erasepro_core.prompts.local_prompts", lambda languages, part: ())
        _, after = solved(tiny("z_image"), request, replace(TWO, templates=6))
        before = path(tiny("z_image"))
        first, last = (encode_prompts(each, held_out, padding=0) for each in (before, after))
        (text_input,) = before.inputs
        places = [(prompt, content_positions(first.rows[prompt][text_input.source])) for prompt in held_out]
        a, b = (each.at(text_input, places) for each in (first, last))
        moved.append(float((b - a).norm() / a.norm()))
    assert moved[0] < 0.9 * moved[1], moved


def test_names_that_no_tokenizer_knows_the_letters_of_are_refused(tiny):
    with pytest.raises(ConceptError, match="no text encoder of this model knows the letters of '猫'"):
        solved(tiny("pixart"), parse_request("猫 -> a dog", "object"))


def test_names_that_one_of_two_tokenizers_does_not_know_are_named(tiny):
    remarks = unread(parse_request("猫 -> a dog", "object"), path(tiny("flux")))
    assert remarks == ["t5xxl does not know the letters of '猫' and takes it for any unknown word."]
    assert unread(parse_request("猫 -> 狗", "object"), path(tiny("z_image"))) == []
    assert unread(parse_request("猫 -> 狗", "object"), path(tiny(UNCASED))) == []


def test_a_long_everyday_prompt_is_shortened_and_named(tiny):
    words = " ".join(f"word{n}" for n in range(80))
    request, remarks = fitting(parse_request("cat -> dog", "object", everyday=f"a lake\n{words}"), path(tiny(UNCASED)))
    assert request.everyday[0] == "a lake"
    assert words.startswith(request.everyday[1]) and words[len(request.everyday[1])] == " "
    assert remarks == [f"The everyday prompt {words[:60]!r} is too long for this model: its first "
                       f"{len(request.everyday[1])} of {len(words)} letters are used."]  # fmt: skip
    report, _ = solved(tiny(UNCASED), parse_request("cat -> dog", "object", everyday=words))
    assert any("too long for this model" in line for line in report.warnings())


def test_a_preserve_that_mentions_a_target_is_named_with_what_is_done(tiny):
    request = parse_request("red -> blue", "object", "red wine\nstar")
    moved, said, before = {}, {}, path(tiny(UNCASED))
    alone = ["red wine"]
    for mode in (Preserve.EXACT, Preserve.OFF):
        report, after = solved(tiny(UNCASED), request, replace(TWO, preserve=mode))
        assert "red wine" in dict(report.moved["preserves"])
        both = encode_prompts(before, alone), encode_prompts(after, alone)
        moved[mode] = float(drift(alone, *both, weight_pairs(before, after)))
        (said[mode],) = (line for line in report.warnings() if line.startswith("The preserve 'red wine' names 'red'"))
    assert "its words are held where they stand alone" in said[Preserve.EXACT]
    assert "preserves are ignored" in said[Preserve.OFF]
    assert moved[Preserve.EXACT] < 0.5 * moved[Preserve.OFF]


@pytest.mark.parametrize("family", ["z_image", UNCASED])
def test_brackets_of_a_name_are_the_tokens_of_prompts_that_have_them(tiny, family):
    live = path(tiny(family))
    listed = spelled_out(parse_request("saber (fate) -> woman", "object"), live).concepts[0].names
    (typed,) = live.tokenize([r"saber \(fate\)"], emphasis=True)
    rows = live.tokenize(list(listed))
    assert any(all(row[e.name].ids == typed[e.name].ids for e in live.encoders) for row in rows)


@pytest.mark.parametrize("family", CASED)
def test_letters_and_other_words_stay_where_every_case_has_tokens_of_its_own(host, tiny, family):
    """`KITTY` is `K` and more, as 4K is; `kitty` may begin as the word kit."""
    path = host.HostPath(*tiny(family))
    request = parse_request("kitty | KITTY | Kitty | tabby | TABBY -> dog", "object")
    swaps = own_tokens(request, path, ["a photo"]).tokens
    assert any(swaps.values())
    for row in path.tokenize(["4K", "an IT person", "a drum kit", "a T-shirt", "a tab", "FBI", "by the sea"]):
        assert not any(tokens.keys() & {*row[name].words} for name, tokens in swaps.items())
