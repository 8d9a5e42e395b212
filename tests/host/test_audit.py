"""Audit Erasure: what is measured in a live model, and the negative prompt."""

import builtins
import json

import pytest
import torch

from erasepro_core import ConceptError, Options, parse_request
from erasepro_core.audit import audit, audit_against, guard
from erasepro_core.checks import make_checks
from erasepro_core.concept import PromptPair
from erasepro_core.encoded import encode_prompts, matched
from erasepro_core.measure import leak, weight_pairs
from erasepro_core.probes import CHECKED, OWN, UNLISTED
from tests import pack as packs
from tests.host.graphs import TEMPLATES, node, solved
from tests.host.lora import with_random_lora
from tests.mini.request import mini_request

REQUEST = mini_request("circle | disc -> square", "object", "triangle\nring")


@pytest.fixture(scope="module")
def report(host, mini):
    return packs.module("nodes.solve").solve_and_check(*mini[:2], REQUEST, Options(templates=TEMPLATES))


@pytest.fixture(scope="module")
def erased(host, mini, report):
    return host.with_erasure(*mini[:2], report.solution.updates, 1.0)


@pytest.fixture(scope="module")
def cats(words):
    """Erased without its plural, on an encoder that knows plurals."""
    options = Options(templates=TEMPLATES, forms=False)
    return packs.module("nodes.solve").solve_and_check(*words[:2], parse_request("cat -> dog", "object"), options)


@pytest.fixture(scope="module")
def before(host, mini):
    return host.HostPath(*mini[:2])


@pytest.fixture(scope="module")
def after(host, erased):
    return host.HostPath(*erased)


def test_without_an_erasure_the_leak_is_one(before):
    found = audit_against(REQUEST, before, before, 0.3)
    assert all(finding.leak == pytest.approx(1.0, abs=1e-5) for finding in found.findings)
    assert not found.passed
    assert len(found.failures()) == 2
    about = audit(REQUEST, make_checks(REQUEST, before), before, 0.3)
    assert about.by_group()[CHECKED] == pytest.approx(1.0, abs=1e-5)
    assert 0.7 < about.leak < 1.3  # sentences without a check of their own are held against the mean


def test_with_the_erasure_it_is_gone_in_every_kind_of_sentence_but_forms_nobody_listed(report, before, after):
    found = audit(REQUEST, report.checks, after, 0.3, ["a night scene with {}"])
    assert found.passed
    groups = found.by_group()
    assert set(groups) == {CHECKED, "two objects", "word order", "repeated", "emphasis", OWN, UNLISTED}
    assert max(value for group, value in groups.items() if group != UNLISTED) < 0.2
    assert groups[UNLISTED] < 0.01  # `circles` and `discs` are erased with their names
    assert audit_against(REQUEST, before, after, 0.3).leak == pytest.approx(found.leak, abs=0.1)


def test_forms_that_nobody_listed_are_what_is_left(host, words, cats):
    after = host.HostPath(*host.with_erasure(*words[:2], cats.solution.updates, 1.0))
    found = audit(cats.solution.request, cats.checks, after, 0.3, ["a night scene with {}"])
    assert found.passed
    groups = found.by_group()
    assert set(groups) == {CHECKED, "two objects", "word order", "repeated", "emphasis", OWN, UNLISTED}
    assert max(value for group, value in groups.items() if group != UNLISTED) < 0.2
    assert groups[UNLISTED] > 0.5


def test_it_says_what_the_report_says_without_the_original_weights(report, before, after):
    """The sketch of a check against all outputs of both models, sentence by sentence."""
    live = guard(REQUEST, report.checks, after, 0.3)
    pairs, prefixes = matched(before, [check.pair for check in report.checks])
    prompts = [prompt for pair in pairs for prompt in (pair.target_prompt, pair.anchor_prompt)]
    weights = weight_pairs(before, after)
    full = leak(pairs, encode_prompts(before, prompts), encode_prompts(after, prompts), weights, prefixes)
    for finding, exact in zip(live.findings, full.tolist(), strict=True):
        assert finding.leak == pytest.approx(exact, abs=0.06)
    bare = guard(REQUEST, report.checks, before, 0.3)
    assert [finding.leak for finding in bare.findings] == pytest.approx([1.0] * len(report.checks), abs=1e-5)


def test_a_lora_that_moves_everything_is_no_leak(host, report, erased, mini):
    plain = guard(REQUEST, report.checks, host.HostPath(*erased), 0.3).leak
    moved = guard(REQUEST, report.checks, host.HostPath(*with_random_lora(erased, 0.1)), 0.3).leak
    assert moved == pytest.approx(plain, abs=0.05)
    assert guard(REQUEST, report.checks, host.HostPath(*with_random_lora(mini[:2], 0.1)), 0.3).leak > 0.9


def test_a_live_model_that_says_nothing_does_not_pass(report, host, erased):
    """No output at all has no contrast either; 0 by 0 must not count as erased."""
    model = erased[0].clone()
    path = host.HostPath(*erased)
    for name, weight in path.conditioned(path.inputs[0]):
        model.add_patches({f"{name}.weight": ("diff", (-weight,))})
    found = guard(REQUEST, report.checks, host.HostPath(model, erased[1]), 0.3)
    assert not found.passed


def test_prompts_of_ones_own_must_name_a_concept(report, after):
    found = audit(REQUEST, report.checks, after, 0.3, ["a Disc under water", "two discs"[:3] + " {}"])
    own = [(finding.name, finding.prompt) for finding in found.findings if finding.group == OWN]
    assert own == [("disc", "a Disc under water"), ("circle", "two circle"), ("disc", "two disc")]
    with pytest.raises(ConceptError, match=r"'a discus' names none of: circle, disc. Write \{\}"):
        audit(REQUEST, report.checks, after, 0.3, ["a discus"])


def test_emphasis_is_what_the_host_makes_of_it(before):
    """`(word:1.4)` counts more as in a prompt node, where it is not plain text."""
    prompts = ["a photo of a (circle:1.4)", "((disc)) on a table", "a photo of a circle"]
    features = before.encode(before.tokenize(prompts, emphasis=True))["context"]
    for prompt, row in zip(prompts, features, strict=True):
        assert torch.equal(row, before.clip.encode_from_tokens(before.clip.tokenize(prompt))[0])
    assert not torch.equal(features[0], features[2])
    assert (
        before.tokenize([prompts[0]], emphasis=True)[0]["clip_l"].ids == before.tokenize([prompts[2]])[0]["clip_l"].ids
    )
    assert before.tokenize([prompts[0]])[0]["clip_l"].ids != before.tokenize([prompts[2]])[0]["clip_l"].ids


def test_an_emphasised_name_is_found_and_is_gone(report, before, after):
    """Weak emphasis, strong, nested, and brackets that other words stand in."""
    own = ["a ({}:0.6)", "a ({}:1.8)", "(((a {} here)))", "(best quality:1.3) , (a red {} on a table:1.2)"]
    plain = audit_against(REQUEST, before, before, 0.3, own)
    assert all(finding.leak == pytest.approx(1.0, abs=1e-5) for finding in plain.findings)
    found = audit_against(REQUEST, before, after, 0.3, own)
    assert max(finding.leak for finding in found.findings if finding.group == OWN) < 0.3
    assert found.by_group()["emphasis"] < 0.2


def test_the_tokens_of_an_emphasised_name_are_found_behind_open_brackets(before):
    """What stands before a name is tokenized alone to count its tokens; its brackets are open there."""
    pair = PromptPair("((a red {} on a table:1.2))", "circle", "square", 0)
    (shifted,), prefixes = matched(before, [pair], emphasis=True)
    said = encode_prompts(before, [shifted.target_prompt, shifted.anchor_prompt], emphasis=True)
    ((position, _),) = said.aligned(shifted, prefixes, before.inputs[0]).concept
    word = before.tokenize(["circle"])[0]["clip_l"].ids[1]
    row = said.rows[shifted.target_prompt]["clip_l"]
    assert row.ids[position] == word
    assert row.weights[position] == 1.2  # the host takes the number for the whole


def test_the_negative_prompt_is_only_warned_of_where_the_erased_clip_encodes_it(report, erased, mini):
    """The trap of README: a concept that is erased means its anchor in the negative prompt too."""
    node_ = packs.module("nodes.audit").AuditErasure

    def remarks(clip, negative: str, conditioning=None, model=erased[0]) -> list[str]:
        result = node_.execute(model, clip, 0.3, "", negative, erasure=report, negative_conditioning=conditioning)
        return json.loads(result.args[3])["remarks"]

    def encoded(clip, text: str) -> list:
        return [[clip.encode_from_tokens(clip.tokenize(text)), {}]]

    negative = "blurry, (Circle:1.2)"
    (said,) = remarks(erased[1], negative)
    assert "names 'circle'. Encoded by the erased CLIP it reads as 'square'" in said
    assert remarks(erased[1], negative, encoded(erased[1], negative)) == [said]
    assert remarks(erased[1], negative, encoded(mini[1], negative)) == []
    assert remarks(erased[1], "blurry, circles") == []
    assert "Write the text of the negative prompt" in remarks(erased[1], "", encoded(erased[1], negative))[0]
    assert remarks(mini[1], negative, model=mini[0]) == []  # nothing is erased there
    ((longer, extra),) = encoded(erased[1], negative)
    other_shape = [[torch.cat([longer, longer], dim=1), extra]]
    warned, unknown = remarks(erased[1], negative, other_shape)
    assert warned == said
    assert "[1, 154, 128], but this CLIP makes [1, 77, 128] of this text" in unknown


def test_a_negative_prompt_keeps_its_meaning_through_the_original_clip(mini, erased):
    """Measured: the same negative prompt through the two CLIPs, against what it did before the erasure."""
    from tests.mini.sample import sample

    prompts = ["a photo of a red square", "a blue square", "a green square on a table"] * 4
    negative = "circle"

    def drawn(model, clip, negative_clip) -> torch.Tensor:
        wanted = {"seed": 60, "steps": 8, "cfg": 3.0, "negative": negative, "negative_clip": negative_clip}
        return sample(model, clip, mini[2], prompts, **wanted)

    plain = drawn(mini[0], mini[1], mini[1])
    trap, kept = drawn(erased[0], erased[1], erased[1]), drawn(erased[0], erased[1], mini[1])
    assert (kept - plain).abs().mean() < 0.3 * (trap - plain).abs().mean()


def test_erasure_or_concepts_and_not_both(mini, report):
    audit_node = packs.module("nodes.audit").AuditErasure
    for given, word in (({}, "neither"), ({"erasure": report, "concepts": REQUEST}, "both")):
        with pytest.raises(ValueError, match=f"{word} of erasure and concepts are connected"):
            audit_node.execute(*mini[:2], 0.3, "", "", **given)


def test_concepts_alone_are_held_against_the_model_without_its_patches(mini, erased):
    audit_node = packs.module("nodes.audit").AuditErasure
    whole = audit_node.execute(*erased, 0.3, "", "", concepts=REQUEST)
    bare = audit_node.execute(*mini[:2], 0.3, "", "", concepts=REQUEST)
    assert whole.args[0] is True
    assert whole.args[1] < 0.2
    assert bare.args[0] is False
    assert bare.args[1] == pytest.approx(1.0, abs=1e-5)
    assert not mini[0].patches
    assert erased[1].patcher.patches  # the model that came in keeps its own


def test_an_unlisted_name_is_found_by_asking_for_it(mini, erased):
    audit_node = packs.module("nodes.audit").AuditErasure
    unlisted = mini_request("ball -> square", "object")
    assert audit_node.execute(*erased, 0.3, "", "", concepts=unlisted).args[1] > 0.2


def test_the_report_says_what_is_left_of_forms_that_nobody_listed(mini, words, cats):
    """In table, JSON and picture; none where every form is listed, or the model knows none of them."""
    node_, solve = packs.module("nodes.report").ErasureReport, packs.module("nodes.solve").solve_and_check
    (left,) = cats.leak_unlisted
    assert left > 0.5
    shown = node_.execute(cats)
    assert f"leak {left:.3f} in forms of its names: cats" in shown.args[1]
    assert json.loads(shown.args[2])["leak"]["unlisted"] == [left]
    assert shown.args[0].shape == (1, 750, 1100, 3)
    listed = solve(*words[:2], parse_request("cat | cats -> dog", "object"), Options(templates=TEMPLATES))
    unknown = solve(*mini[:2], mini_request("red -> blue", "object"), Options(templates=TEMPLATES))
    for nothing in (listed, unknown):
        assert nothing.leak_unlisted == (None,)
        shown = node_.execute(nothing)
        assert "in forms of" not in shown.args[1]
        assert json.loads(shown.args[2])["leak"]["unlisted"] == [None]


def test_it_runs_in_a_real_graph(server):
    graph = solved(server.object_info())
    inputs = {"threshold": 0.3, "prompts": "a moon and {}", "negative": "circle", "erasure": ["solve", 0]}
    graph["audit"] = node("ErasePro_Audit", model=["apply", 0], clip=["apply", 1], **inputs)
    graph["bare"] = node("ErasePro_Audit", model=["loader", 0], clip=["loader", 1], **inputs)
    graph["picture"] = node("PreviewImage", images=["audit", 4])
    graph["report"] = node("ErasePro_Report", erasure=["solve", 0])
    graph["plots"] = node("PreviewImage", images=["report", 0])
    result = server.queue(graph).checked()
    assert result.texts["audit"].startswith("erased: leak 0.")
    assert "The negative prompt names 'circle'" in result.texts["audit"]
    assert result.texts["bare"].startswith("NOT ERASED: leak ")
    assert "'circle' of circle | disc -> square: leak" in result.texts["bare"]
    for name, size in (("picture", (1100, 300)), ("plots", (1100, 750))):
        picture = server.image(result.images[name][0])
        assert picture.width == size[0]
        assert len(picture.convert("RGB").getcolors(10**6) or []) > 20


def test_without_matplotlib_only_the_picture_is_missing_and_says_why(mini, report, erased, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    shown = packs.module("nodes.report").ErasureReport.execute(report)
    assert "pip install matplotlib" in shown.args[0].message
    assert "| layer | depth |" in shown.args[1]
    assert json.loads(shown.args[2])["digest"] == report.digest
    found = packs.module("nodes.audit").AuditErasure.execute(*erased, 0.3, "", "", erasure=report)
    assert found.args[0] is True
    assert "pip install matplotlib" in found.args[4].message
