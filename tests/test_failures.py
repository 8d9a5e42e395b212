"""Each way in which a solve fails names its own reason and what to do."""

from dataclasses import replace
from math import nan

import pytest

from erasepro_core import Report
from erasepro_core.failures import why_not_erased
from erasepro_core.methods import Preserve
from erasepro_core.report import Residual
from erasepro_core.verify import NotErasedError, require_erased
from tests.artefact import example

LEFT = "not erased: circle | disc -> square (leak 0.80, expected at most 0.5). "


def failed(leak: float = 0.8) -> Report:
    return replace(example(), leak_training=(leak, 0.02))


def test_nothing_is_said_of_what_is_erased():
    assert why_not_erased(example()) == ""
    require_erased(example())


def test_preserves_are_named_only_where_there_are_any():
    said = why_not_erased(failed())
    assert said.startswith(LEFT + "What is preserved leaves no room for it")
    assert said.count("not erased") == 1
    report = failed()
    free = replace(report.solution, request=replace(report.solution.request, preserves=()))
    weighted = replace(report.solution, options=replace(report.solution.options, preserve=Preserve.WEIGHTED))
    for solution in (free, weighted):
        said = why_not_erased(replace(report, solution=solution))
        assert "preserve" not in said
        assert "Raise the tolerance" in said


def test_a_concept_that_was_gone_before_is_named_as_that():
    report = failed()
    same = replace(report.checks[0], target=report.checks[0].anchor + 0.01)
    said = why_not_erased(replace(report, checks=(same, *report.checks[1:])))
    assert "To this model 'circle' and 'square' meant the same before" in said
    assert "Connect MODEL and CLIP from before Apply Erasure" in said


def test_a_rounded_correction_is_named_as_that():
    report = failed()
    rounded = {name: Residual(0.3, 0.3) for name in report.residuals}
    assert "rounds the correction away (residual 0.30). Load the model in fp16" in why_not_erased(
        replace(report, residuals=rounded)
    )


def test_not_a_number_never_passes_for_erased():
    report = failed(nan)
    assert report.not_erased() == ["circle | disc -> square"]
    assert "NOT ERASED: circle | disc -> square" in report.short()
    with pytest.raises(NotErasedError, match=r"leak nan, .*The model gives outputs that are no numbers"):
        require_erased(report)


def test_every_concept_has_its_own_reason():
    report = replace(example(), leak_training=(0.8, nan))
    said = why_not_erased(report)
    assert "circle | disc -> square (leak 0.80, expected at most 0.5). What is preserved" in said
    assert "Van Gogh -> an artist (leak nan, expected at most 0.5). The model gives" in said
