"""Checks and fingerprints on tensors made by hand."""

import math

import pytest
import torch

from erasepro_core import Audit, parse_request
from erasepro_core.audit import Finding
from erasepro_core.checks import Check, leak_against
from erasepro_core.concept import PromptPair, Request, unlisted_forms
from erasepro_core.mention import mentions, opened
from erasepro_core.probes import CHECKED, OWN, UNLISTED, unlisted_probes
from erasepro_core.sketch import difference, fingerprint, mixes
from tests.artefact import normal

TARGET, ANCHOR = normal(3, 40, seed=0), normal(3, 40, seed=1)
CHECK = Check(PromptPair("a {}", "cat", "dog", 0), TARGET, ANCHOR)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.0])
def test_leak_is_the_share_of_the_way_that_is_left(share):
    assert leak_against(CHECK, ANCHOR + share * (TARGET - ANCHOR), ANCHOR) == pytest.approx(share, abs=1e-6)


def test_an_anchor_that_has_become_the_target_is_seen():
    """Both sentences read alike then, and what they say is the concept."""
    assert leak_against(CHECK, TARGET, TARGET) == pytest.approx(1.0)
    assert leak_against(CHECK, ANCHOR, ANCHOR) == pytest.approx(0.0, abs=1e-6)


def test_a_quiet_model_does_not_pass_by_being_quiet():
    assert leak_against(CHECK, 0.01 * TARGET, 0.01 * ANCHOR) == pytest.approx(1.0)
    assert leak_against(CHECK, 0 * TARGET, 0 * ANCHOR) == 1.0  # nothing can be told, so nothing passes
    assert leak_against(CHECK, math.nan * TARGET, math.nan * ANCHOR) == 1.0
    assert leak_against(CHECK, TARGET, math.nan * ANCHOR) == 1.0


def test_what_moves_both_alike_is_no_leak():
    moved = 0.5 * normal(3, 40, seed=2)
    assert leak_against(CHECK, ANCHOR + moved, ANCHOR + moved) < 0.1


def test_a_model_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"have \[3, 40\] numbers, this model gives \[3, 20\]"):
        leak_against(CHECK, TARGET[:, :20], ANCHOR[:, :20])


def test_an_anchor_that_a_later_erasure_moved_is_no_leak():
    """Circles became squares, then squares became stars: a circle is drawn as a square, and no circle is left."""
    star = normal(3, 40, seed=2)
    assert leak_against(CHECK, ANCHOR, star) == pytest.approx(0.0, abs=1e-6)
    assert leak_against(CHECK, ANCHOR + 0.2 * (TARGET - ANCHOR), star) == pytest.approx(0.2, abs=1e-6)
    assert leak_against(CHECK, TARGET, star) >= 0.99  # the concept itself is seen whatever becomes of the anchor
    assert leak_against(CHECK, ANCHOR + 0.6 * (TARGET - ANCHOR), star) == pytest.approx(0.6, abs=1e-6)


def test_mixes_keep_distances_on_average():
    for seed in range(5):
        vector = normal(1280, seed=seed).double()
        assert float((mixes(256, 1280) @ vector).norm() / vector.norm()) == pytest.approx(1.0, abs=0.15)
    assert mixes(4, 10).dtype == torch.float64
    assert float(mixes(1, 3)[0, 0]) == pytest.approx(2**0.5)


def test_fingerprints_tell_how_far_weights_are_apart():
    weights = {str(n): normal(64, 48, seed=n) for n in range(40)}
    known = {name: fingerprint(weight) for name, weight in weights.items()}
    assert difference(known, {n: fingerprint(w) for n, w in weights.items()}) == 0
    assert difference(known, {n: fingerprint(w.half()) for n, w in weights.items()}) == pytest.approx(0, abs=0.001)
    for size in (0.02, 0.3):
        noisy = {n: w + size * normal(64, 48, seed=100 + int(n)) for n, w in weights.items()}
        assert difference(known, {n: fingerprint(w) for n, w in noisy.items()}) == pytest.approx(size, rel=0.4)


def test_weights_of_zeros_have_a_distance_too():
    zeros, other = fingerprint(torch.zeros(8, 6)), fingerprint(normal(8, 6, seed=0))
    assert difference({"a": zeros}, {"a": zeros}) == 0
    assert difference({"a": zeros}, {"a": other}) == 1
    assert difference({"a": zeros, "b": other}, {"a": zeros, "b": other}) == 0


def test_without_a_shared_fingerprint_nothing_says_that_weights_are_the_same():
    known = {"a": fingerprint(normal(8, 6, seed=0))}
    assert difference({}, known) is None
    assert difference(known, {"b": known["a"]}) is None


def test_names_are_found_as_whole_words_in_any_case():
    assert opened("A Cat, cats and a (CAT:1.2)", "cat") == "A {}, cats and a ({}:1.2)"
    assert opened("a category", "cat") == "a category"
    assert mentions("a dragon above a burning village, fantasy", "Village")
    assert mentions("Van  Gogh's sunflowers", "van gogh")
    assert not mentions("a category", "cat")


def test_a_name_that_nothing_was_measured_of_never_passes():
    request = parse_request("cat | kitten -> dog", "object")
    cat, kitten = (Finding(CHECKED, 0, name, f"a {name}", 0.1) for name in ("cat", "kitten"))
    assert Audit(request, (cat, kitten), 0.3).passed
    with pytest.raises(ValueError, match="no sentence names 'kitten', so nothing says whether it is gone"):
        Audit(request, (cat, Finding(UNLISTED, 0, "kitten", "kittens", 0.1)), 0.3)
    with pytest.raises(ValueError, match="no sentence names 'cat', 'kitten'"):
        Audit(request, (), 0.3)


def test_a_request_of_nothing_never_passes():
    with pytest.raises(ValueError, match="names no concept, so there is nothing to look for"):
        Audit(Request(()), (), 0.3)


def test_a_threshold_that_is_no_number_never_passes():
    request = parse_request("cat -> dog", "object")
    assert not Audit(request, (Finding(CHECKED, 0, "cat", "a cat", 0.1),), math.nan).passed
    assert not Audit(request, (Finding(CHECKED, 0, "cat", "a cat", math.nan),), 0.3).passed


def test_a_check_of_what_never_differed_tells_nothing_and_says_so():
    """Two words that the model does not know: nothing would have been found at any time."""
    same = Check(CHECK.pair, ANCHOR, ANCHOR)
    with pytest.raises(ValueError, match="'a cat' and 'a dog' meant the same to the model before anything was erased"):
        leak_against(same, ANCHOR, ANCHOR)


@pytest.mark.parametrize(
    ("text", "kind", "forms"),
    [
        ("cat | kitten -> dog", "object", ["cats", "kittens"]),
        ("cat | Cats -> dog", "object", []),
        ("cats -> dogs", "object", ["cat"]),
        ("fox | glass | lady | toy -> thing", "object", ["foxes", "glasses", "ladies", "toys"]),
        ("Van Gogh -> an artist", "style", ["Van Gogh's"]),
        ("Ada | Ada's -> a person", "person", []),
        ("nudity -> a person wearing clothes", "explicit content", ["nudities"]),
    ],
)
def test_forms_that_people_also_write(text, kind, forms):
    request = parse_request(text, kind)
    assert [form for form, _ in unlisted_forms(request.concepts[0]).values()] == forms
    assert {probe.pair.target for probe in unlisted_probes(request)} == set(forms)


def test_a_few_sentences_that_leak_are_not_hidden_by_many_that_do_not():
    request = parse_request("cat -> dog", "object")
    many = [Finding(CHECKED, 0, "cat", f"a cat {n}", 0.0) for n in range(30)]
    own = Finding(OWN, 0, "cat", "a cat at night", 0.9)
    found = Audit(request, (*many, own), 0.3)
    assert found.leak == 0.9
    assert not found.passed
    assert "leak 0.90, most in 'a cat at night' (0.90)" in found.short()
    assert Audit(request, tuple(many), 0.3).passed
