"""An erasure goes into a file and comes back as it was, and the file is a LoRA."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file

from erasepro_core.files import FORMAT, PACK_VERSION, FileError, pack, read, unpack
from erasepro_core.update import LowRankUpdate, compressed
from tests.artefact import ENCODER, KEYS, VALUES, example, normal

ROOT = Path(__file__).resolve().parent.parent
OLD = Path(__file__).resolve().parent / "files"


def written(folder: Path, report, precision: str) -> Path:
    tensors, metadata = pack(report, precision)
    save_file(tensors, folder / "it.safetensors", metadata)
    return folder / "it.safetensors"


def updates(report):
    return {name: update.dense() for part in report.solution.erasure.parts() for name, update in part.items()}


def test_a_float32_file_keeps_every_bit(tmp_path):
    report = example()
    back = read(written(tmp_path, report, "float32"))
    assert back.solution.erasure.digest() == report.solution.erasure.digest()
    assert back.recipe() == report.recipe()


def test_a_float16_file_is_smaller_and_nearly_the_same(tmp_path):
    report = example()
    small = read(written(tmp_path, report, "float16"))
    for name, dense in updates(report).items():
        moved = (updates(small)[name] - dense).norm() / dense.norm()
        assert 0 < moved < 1e-3
    whole, half = (save(*pack(report, precision)) for precision in ("float32", "float16"))
    assert len(half) < len(whole)


def test_what_was_asked_and_measured_comes_back(tmp_path):
    report = example()
    back = read(written(tmp_path, report, "float32"))
    assert back.solution.request == report.solution.request
    assert back.solution.options == report.solution.options
    assert back.solution.trials == report.solution.trials
    assert back.solution.start == 0
    assert back.drift == report.drift
    assert (back.leak_training, back.leak_unseen) == (report.leak_training, report.leak_unseen)
    assert back.residuals == report.residuals
    assert back.fingerprints == report.fingerprints
    assert back.short() == report.short()
    assert back.table() == report.table()
    for check, before in zip(back.checks, report.checks, strict=True):
        assert check.pair == before.pair
        torch.testing.assert_close(check.target, before.target, rtol=1e-4, atol=1e-6)
        assert check.contrast == pytest.approx(before.contrast, rel=1e-4)


def test_a_file_is_a_lora_in_the_naming_that_loaders_share():
    tensors, metadata = pack(example(), "float16")
    encoder = "lora_te_text_model_encoder_layers_0_mlp_fc2"
    cross = [f"lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_{kv}" for kv in "kv"]
    names = {f"{key}.{part}" for key in (encoder, *cross) for part in ("lora_up.weight", "lora_down.weight", "alpha")}
    assert set(tensors) == names
    assert float(tensors[f"{encoder}.alpha"]) == tensors[f"{encoder}.lora_down.weight"].shape[0] == 3
    assert all(isinstance(value, str) for value in metadata.values())
    assert json.loads(metadata["erasepro.request"])["concepts"][0] == {
        "text": "circle | disc -> square",
        "kind": "object",
    }


def test_the_metadata_says_who_wrote_it_and_when():
    _, metadata = pack(example(), "float16")
    assert metadata["erasepro.format"] == str(FORMAT)
    assert metadata["erasepro.pack"] == PACK_VERSION
    assert f'version = "{PACK_VERSION}"' in (ROOT / "pyproject.toml").read_text().splitlines()
    assert metadata["erasepro.date"].endswith("+00:00")


def test_the_specification_names_every_entry_and_no_other():
    text = (ROOT / "docs" / "format.md").read_text()
    _, metadata = pack(example(), "float16")
    assert set(metadata) == set(re.findall(r"`(erasepro\.\w+)`", text))


def test_numbers_too_large_for_half_precision_are_refused_and_fit_float32():
    with pytest.raises(FileError, match="too large for half precision"):
        pack(example(scale=1e12), "float16")
    assert pack(example(scale=1e12), "float32")


@pytest.mark.parametrize("file", sorted(OLD.glob("format_*.safetensors")), ids=lambda path: path.stem)
def test_files_of_every_format_so_far_stay_readable(file):
    """Written once, by the pack that introduced the format; never written again."""
    report = read(file)
    assert [str(concept) for concept in report.solution.request.concepts] == [
        "circle | disc -> square",
        "Van Gogh -> an artist",
    ]
    assert set(updates(report)) == {ENCODER, KEYS, VALUES}
    assert report.solution.erasure.digest() == "bba954ee34d06f53"


def test_there_is_a_file_of_every_format_so_far():
    assert {path.stem for path in OLD.glob("*.safetensors")} == {f"format_{n}" for n in range(1, FORMAT + 1)}


def test_a_file_of_a_later_format_says_that_the_pack_is_too_old():
    tensors, metadata = pack(example(), "float32")
    with pytest.raises(FileError, match=r"format '2'; this pack reads 1. Update ErasePro"):
        unpack(tensors, metadata | {"erasepro.format": "2"})


def test_a_stored_update_has_no_more_terms_than_it_needs():
    left, right = normal(20, 3, seed=1), normal(3, 30, seed=2)
    doubled = LowRankUpdate(torch.cat([left, left], dim=1), torch.cat([right, right * 1e-3]))
    small = compressed(doubled, 1e-6)
    assert small.rank == 3 < doubled.rank
    torch.testing.assert_close(small.dense(), doubled.dense(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(small.left.norm(dim=0), small.right.norm(dim=1))
    assert not torch.allclose(doubled.left.norm(dim=0), doubled.right.norm(dim=1))


def test_nothing_is_lost_by_an_update_of_nothing():
    nothing = LowRankUpdate(torch.zeros(5, 2), normal(2, 7, seed=0))
    assert not compressed(nothing, 1e-3).dense().any()


def test_a_recipe_names_what_was_asked_of_which_weights():
    report = example()
    solution = report.solution
    same = replace(report, leak_unseen=(0.1, 0.1), solution=replace(solution, seconds=9.0))
    assert same.recipe() == report.recipe()
    assert replace(report, fingerprints={**report.fingerprints, KEYS: (2.0, 0.24)}).recipe() != report.recipe()
    other = replace(solution, options=replace(solution.options, tolerance=0.3))
    assert replace(report, solution=other).recipe() != report.recipe()
