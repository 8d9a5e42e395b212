"""Rows of the tables of token embeddings: what they erase, what stays as it was, and how a file holds them."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from erasepro_core import Options, parse_request, solve_request, verify
from erasepro_core.files import pack, read
from erasepro_core.measure import Comparison
from erasepro_core.table import own_tokens
from erasepro_core.update import RowUpdate
from tests import pack as packs
from tests.mini.request import mini_request

REQUEST = mini_request("circle | disc -> square", "object", "triangle\nstar")
TABLE = "clip_l.transformer.text_model.embeddings.token_embedding"
KEY = f"{TABLE}.weight"


@pytest.fixture(scope="module")
def report(mini):
    return packs.module("nodes.solve").solve_and_check(*mini[:2], REQUEST, Options())


def features(host, both) -> torch.Tensor:
    path = host.HostPath(*both)
    return path.encode(path.tokenize(["a circle", "a photo of a red disc", "a star", ""]))["context"]


def stored(report, precision: str, folder):
    tensors, metadata = pack(report, precision)
    save_file(tensors, folder / "erasure.safetensors", metadata)
    return tensors, read(folder / "erasure.safetensors")


def test_words_that_only_the_concept_uses_need_no_layer(report):
    assert list(report.solution.updates.text_encoder) == [TABLE]
    assert not report.solution.updates.diffusion_model
    assert {"circle", "disc"} <= set(report.solution.own_words)
    assert max(report.leak_training + report.leak_unseen) < 1e-4
    assert max(report.drift.values()) < 1e-4
    assert "tokens that become the anchor's: circle, disc" in report.short()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_every_other_row_stays_bit_for_bit(host, report, dtype):
    from tests.mini import model as mini_model

    model, clip, _ = mini_model.load()
    clip.cond_stage_model.to(dtype)
    update = report.solution.updates.text_encoder[TABLE]
    assert isinstance(update, RowUpdate)
    before = clip.cond_stage_model.get_submodule(TABLE).weight.detach().clone()
    edited = host.with_erasure(model, clip, report.solution.updates, 1.0)[1]
    features(host, (model, edited))  # the host patches when it encodes
    after = edited.cond_stage_model.get_submodule(TABLE).weight.detach().clone()
    others = torch.ones(len(before), dtype=torch.bool)
    others[update.rows] = False
    assert torch.equal(after[others], before[others])
    near = {"rtol": 0, "atol": 2 * torch.finfo(dtype).eps * float(before.abs().max())}
    torch.testing.assert_close(after[update.rows], before[list(update.sources)], **near)
    features(host, (model, clip))
    assert torch.equal(clip.cond_stage_model.get_submodule(TABLE).weight, before)


def test_a_stock_loader_reads_a_few_rows_as_a_lora(host, mini, report, tmp_path):
    import comfy.sd
    import comfy.utils

    tensors, back = stored(report, "float32", tmp_path)
    assert f"text_encoders.{TABLE}.lora_B.weight" in tensors
    lora = comfy.utils.load_torch_file(str(tmp_path / "erasure.safetensors"))
    model, clip = mini[:2]
    loaded = comfy.sd.load_lora_for_models(model, clip, lora, 1.0, 1.0)
    ours = features(host, host.with_erasure(*mini[:2], back.solution.updates, 1.0))
    torch.testing.assert_close(features(host, loaded), ours, rtol=0, atol=1e-5)
    assert (ours - features(host, mini[:2])).abs().max() > 0.1


def test_many_rows_are_stored_as_rows(host, mini, report, tmp_path, monkeypatch):
    monkeypatch.setattr("erasepro_core.layout.MOST_ROWS", 1)
    tensors, back = stored(report, "float32", tmp_path)
    assert f"text_encoders.{TABLE}.rows" in tensors
    assert sum(tensor.numel() for tensor in tensors.values()) < 1000
    ours, theirs = (each.solution.updates.text_encoder[TABLE] for each in (report, back))
    assert isinstance(ours, RowUpdate)
    assert isinstance(theirs, RowUpdate)
    assert torch.equal(ours.rows, theirs.rows)
    assert torch.equal(ours.right, theirs.right)
    assert back.solution.own_words == report.solution.own_words


def test_the_same_erasure_is_not_applied_twice(host, mini, report):
    once = host.with_erasure(*mini[:2], report.solution.updates, 1.0)
    with pytest.raises(ValueError, match="carries the same erasure already"):
        host.with_erasure(*once, report.solution.updates, 1.0)


def test_tokens_that_others_use_stay(host, mini):
    path = host.HostPath(*mini[:2])
    assert own_tokens(REQUEST, path, ["a star"]).words
    assert "circle" not in own_tokens(REQUEST, path, ["a red circle"]).words
    solution = solve_request(mini_request("red circle -> blue square", "object"), Options(templates=2), path)
    assert solution.own_words == ()


def swapped(host, both, text: str, kind: str = "object", known: tuple[str, ...] = ()) -> set[str]:
    """The words of the tokens that change for a text alone."""
    path = host.HostPath(*both)
    swaps = own_tokens(parse_request(text, kind), path, ["a photo"], known)
    return set(path.words({e.table: list(swaps.tokens[e.name]) for e in path.encoders if e.table}))


@pytest.mark.parametrize(
    ("text", "changed", "stays"),
    [
        ("pineapple -> thing", {"pineapple", "pine"}, "apples"),  # pine, apples</w>
        ("sparrow -> thing", {"sparrow", "spar"}, "rows"),
        ("toadstool -> thing", {"ols"}, "stool"),
        ("grasshopper -> thing", {"gras", "grasshopper"}, "shoppers"),
        ("apple | pineapple -> thing", {"apple", "apples", "pine", "pineapple"}, ""),
        ("Piet Mondrian -> art", {"dri", "drian"}, "mon"),  # CLIP has a token for the word `drian`, but nobody says it
    ],
)
def test_a_word_at_the_end_of_a_name_stays_where_words_are_known_by_their_ends(host, mini, text, changed, stays):
    """CLIP has one token for the word `apples` and for the end of `pineapples`."""
    words = swapped(host, mini[:2], text)
    assert changed <= words
    assert stays not in words


@pytest.mark.parametrize(
    ("text", "kind", "changed", "stays"),
    [
        ("dragonfly -> thing", "object", {"##fly"}, "dragon"),
        ("Aubrey Beardsley -> an artist", "style", {"##sley", "aubrey"}, "beard"),
        ("beard | Beardsley -> thing", "object", {"beard", "##sley"}, ""),
        ("Peter Paul Rubens -> an artist", "style", {"ruben", "peter", "paul"}, "##s"),
    ],
)
def test_a_word_at_the_start_of_a_name_stays_where_words_are_known_by_their_starts(
    host, words, text, kind, changed, stays
):
    """BERT has one token for the word `dragon` and for the start of `dragonfly`."""
    found = swapped(host, words[:2], text, kind)
    assert changed <= found
    assert stays not in found


def test_a_form_that_nobody_typed_takes_no_piece_of_a_known_name(host, words):
    """The plural of `holly` has a piece of Hollie."""
    known = ("Hollie Smith",)
    assert "##llie" in swapped(host, words[:2], "holly -> thing")
    assert "##llie" not in swapped(host, words[:2], "holly -> thing", known=known)
    assert "##llie" in swapped(host, words[:2], "hollies -> things", known=known)


def test_what_many_words_share_is_no_names_own(host, words):
    """`##ness` ends a thousand words beside nakedness, and every plural has `##s`."""
    assert not swapped(host, words[:2], "nakedness -> thing")
    assert "##s" not in swapped(host, words[:2], "hollies -> things")


def test_names_that_change_with_a_token_are_named_and_stay_if_asked(host, words):
    """`pie` is all of a name and the start of Piet."""
    path = host.HostPath(*words[:2])
    solution = solve_request(parse_request("pie -> cake", "object"), Options(), path)
    assert "pie" in solution.own_words
    (remark,) = solution.remarks
    assert remark.startswith("Names that have a token of an erased name change too: Piet Mondrian")
    kept = solve_request(parse_request("pie -> cake", "object", "Piet Mondrian"), Options(templates=4), path)
    assert "pie" not in kept.own_words
    assert not kept.remarks


def test_without_own_tokens_the_layers_do_it(host, mini):
    path = host.HostPath(*mini[:2])
    solution = solve_request(REQUEST, Options(templates=2, own_tokens=False), path)
    assert TABLE not in solution.updates.text_encoder
    edited = host.HostPath(*host.with_erasure(*mini[:2], solution.updates, 1.0))
    assert verify(solution, path, edited, {}).leak_training[0] < 0.1


def test_where_no_linear_changed_a_check_compares_one_weight_for_all(host, mini, monkeypatch):
    """It says what a check says that knows nothing of the solve and goes through all of them."""
    path = host.HostPath(*mini[:2])
    solution = solve_request(REQUEST, Options(), path)
    half = host.HostPath(*host.with_erasure(*mini[:2], solution.updates, 0.5))  # so that much is left
    squares, counts = Comparison.squares, []

    def counted(self, original, changed):
        counts[-1] += 1
        return squares(self, original, changed)

    def checked(solution):
        counts.append(0)
        return verify(solution, path, half, {})

    monkeypatch.setattr(Comparison, "squares", counted)
    with_solve, alone = checked(solution), checked(replace(solution, observed=None))
    assert counts[0] * len(path.inputs[0].layers) == counts[1]
    assert with_solve.leak_unseen == pytest.approx(alone.leak_unseen, rel=1e-4)
    assert with_solve.leak_unseen[0] > 0.2
    assert with_solve.drift == pytest.approx(alone.drift, abs=1e-5)


def test_a_check_encodes_what_a_changed_table_can_move(host, mini, report, monkeypatch):
    """And a few prompts more, to see that nothing else changed: what was patched beside it moves all of them."""
    model, clip = mini[:2]
    path, solution = host.HostPath(model, clip), solve_request(REQUEST, Options(), host.HostPath(model, clip))
    erased = host.with_erasure(model, clip, solution.updates, 1.0)
    encode, encoded = host.HostPath.encode, []

    def counted(live, rows, *more):
        encoded.extend(rows if live.clip is not clip else ())
        return encode(live, rows, *more)

    monkeypatch.setattr(host.HostPath, "encode", counted)
    drift = verify(solution, path, host.HostPath(*erased), {}).drift
    assert drift["neutral"] == 0
    assert max(drift.values()) < 1e-5
    assert solution.observed
    plan, _ = solution.observed
    untouched, alone = sum(len(group) for group in plan.groups.values()), len(encoded)
    assert alone < len({pair.target_prompt for pair in plan.pairs})  # both names are one token by now
    block = path.encoders[0].blocks[-1].output
    weight = path.module(block).weight
    other = erased[1].clone()
    other.patcher.add_patches({f"{block}.weight": ("diff", (0.1 * torch.randn(weight.shape),))})
    moved = verify(solution, path, host.HostPath(erased[0], other), {}).drift
    assert min(moved.values()) > 1e-3
    assert len(encoded) - 2 * alone > untouched / 2


@pytest.fixture(scope="module")
def solved(mini, report):
    """Erasures of a text on the original model, or on the one that this text is erased from already."""

    def solve(text: str, both=None):
        return packs.module("nodes.solve").solve_and_check(
            *(both or mini[:2]), mini_request(text, "object", "triangle"), Options()
        )

    return solve


def rows(host, both, *words: str) -> torch.Tensor:
    """What the table has for some words, each one token."""
    path = host.HostPath(*both)
    (encoder,) = path.encoders
    tokens = [row[encoder.name].ids[row[encoder.name].start] for row in path.tokenize(words)]
    return path.embeddings(encoder, tokens)


def test_a_second_erasure_of_the_same_token_solved_on_the_erased_model_is_right(host, mini, report, solved):
    once = host.with_erasure(*mini[:2], report.solution.updates, 1.0)
    star = solved("circle -> star", once)
    twice = host.with_erasure(*once, star.solution.updates, 1.0)
    moved, stayed, wanted, first = rows(host, twice, "circle", "disc", "star", "square")
    torch.testing.assert_close(moved, wanted, rtol=0, atol=1e-5)
    torch.testing.assert_close(stayed, first, rtol=0, atol=1e-5)


def test_a_token_that_two_erasures_send_to_the_same_anchor_is_moved_once(host, mini, report, solved):
    other = solved("disc | heart -> square")
    for first, second in ((report, other), (other, report)):
        both = host.with_erasure(*mini[:2], first.solution.updates, 1.0)
        both = host.with_erasure(*both, second.solution.updates, 1.0)
        *moved, wanted = rows(host, both, "circle", "disc", "heart", "square")
        for row in moved:
            torch.testing.assert_close(row, wanted, rtol=0, atol=1e-5)
    half = host.with_erasure(*mini[:2], report.solution.updates, 0.5)
    more = host.with_erasure(*half, other.solution.updates, 0.25)
    before, now, wanted = (rows(host, each, "disc") for each in (mini[:2], more, both))
    torch.testing.assert_close(now, before + 0.75 * (wanted - before), rtol=0, atol=1e-5)


def test_a_token_that_two_erasures_send_to_two_anchors_is_refused_by_its_word(host, mini, report, solved):
    once = host.with_erasure(*mini[:2], report.solution.updates, 1.0)
    star = solved("disc | heart -> star")
    with pytest.raises(host.ApplyError, match=r"sets the row of 'discs?'.* another erasure .* nothing was applied"):
        host.with_erasure(*once, star.solution.updates, 1.0)
    assert set(once[1].patcher.patches) == {KEY}
    assert rows(host, once, "heart").equal(rows(host, mini[:2], "heart"))


def test_the_same_erasure_from_a_file_is_not_applied_twice(host, mini, report, tmp_path):
    _, back = stored(report, "float16", tmp_path)
    once = host.with_erasure(*mini[:2], report.solution.updates, 1.0)
    with pytest.raises(host.ApplyError, match="carries the same erasure already"):
        host.with_erasure(*once, back.solution.updates, 1.0)
