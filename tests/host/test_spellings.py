"""Names as people type them, against the tokenizers that the host ships, on tiny models."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from erasepro_core import ConceptError, Options, parse_request
from erasepro_core.audit import audit_against, negative_remarks
from erasepro_core.probes import OWN
from erasepro_core.spellings import spelled_out
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


def solved(built: Any, request: Any) -> tuple[Any, Any]:
    """The report and the live model that carries the erasure."""
    report = pack.module("nodes.solve").solve_and_check(*built, request, TWO)
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
