"""Rows of the tables of token embeddings: what they erase, what stays as it was, and how a file holds them."""

import pytest
import torch
from safetensors.torch import save_file

from erasepro_core import Options, solve_request, verify
from erasepro_core.files import pack, read
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
    assert f"text_encoders.{TABLE}.lora_up.weight" in tensors
    lora = comfy.utils.load_torch_file(str(tmp_path / "erasure.safetensors"))
    model, clip = mini[:2]
    loaded = comfy.sd.load_lora_for_models(model, clip, lora, 1.0, 1.0)
    ours = features(host, host.with_erasure(*mini[:2], back.solution.updates, 1.0))
    torch.testing.assert_close(features(host, loaded), ours, rtol=0, atol=1e-5)
    assert (ours - features(host, mini[:2])).abs().max() > 0.1


def test_many_rows_are_stored_as_rows(host, mini, report, tmp_path, monkeypatch):
    monkeypatch.setattr("erasepro_core.files.MOST_ROWS", 1)
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


def test_without_own_tokens_the_layers_do_it(host, mini):
    path = host.HostPath(*mini[:2])
    solution = solve_request(REQUEST, Options(templates=2, own_tokens=False), path)
    assert TABLE not in solution.updates.text_encoder
    edited = host.HostPath(*host.with_erasure(*mini[:2], solution.updates, 1.0))
    assert verify(solution, path, edited, {}).leak_training[0] < 0.1
