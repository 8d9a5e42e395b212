"""Names as people type them, against the tokenizers that the host ships, on tiny models."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from erasepro_core import ConceptError, Options, parse_request
from erasepro_core.audit import audit_against, negative_remarks
from erasepro_core.methods import Preserve
from erasepro_core.probes import OWN
from erasepro_core.spellings import fitting, spelled_out, unread
from tests import pack
from tests.host.families import every_layer, quick

pytestmark = pytest.mark.usefixtures("comfy_library")
TWO = Options(templates=2, tolerance=1.0, own_tokens=False)
CASED, UNCASED = ("flux", "z_image"), "sd1"


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
    moved, said = {}, {}
    for mode in (Preserve.EXACT, Preserve.OFF):
        report, _ = solved(tiny(UNCASED), request, replace(TWO, preserve=mode))
        moved[mode] = dict(report.moved["preserves"])["red wine"]
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
