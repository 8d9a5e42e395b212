"""An erasure goes into a file and comes back as it was, and the file is a LoRA."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file

from erasepro_core import parse_request
from erasepro_core.container import CHECKSUM, FileError, checksum
from erasepro_core.failures import why_not_erased
from erasepro_core.families.kohya import KOHYA_BLOCKS, kohya_names
from erasepro_core.files import FORMAT, LOSS, pack, read, unpack
from erasepro_core.report import PACK_VERSION, digest_of
from erasepro_core.update import LowRankUpdate, compressed
from tests.artefact import ENCODER, KEYS, VALUES, example, normal

ROOT = Path(__file__).resolve().parent.parent
OLD = Path(__file__).resolve().parent / "files"


def written(folder: Path, report, precision: str) -> Path:
    tensors, metadata = pack(report, precision)
    save_file(tensors, folder / "it.safetensors", metadata)
    return folder / "it.safetensors"


def updates(report):
    return {name: update.dense() for part in report.solution.updates.parts() for name, update in part.items()}


def test_a_float32_file_keeps_every_bit(tmp_path):
    report = example()
    back = read(written(tmp_path, report, "float32"))
    assert back.solution.updates.checksum() == report.solution.updates.checksum()
    assert back.digest == report.digest


def test_a_float16_file_is_smaller_and_nearly_the_same(tmp_path):
    report = example()
    small = read(written(tmp_path, report, "float16"))
    for name, dense in updates(report).items():
        moved = (updates(small)[name] - dense).norm() / dense.norm()
        assert 0 < moved < 1e-3
    whole, half = (save(*pack(report, precision)) for precision in ("float32", "float16"))
    assert len(half) < len(whole)


def test_a_float16_file_leaves_out_what_lets_hardly_anything_come_back(tmp_path):
    """What each layer may lose is in proportion to what of its left factor makes up a whole concept."""
    report = example()
    name, update = next(iter(report.solution.updates.text_encoder.items()))
    sizes = torch.linalg.svdvals(update.left.double())
    spare = float(sizes[-1])  # of the layer's weakest term

    def ranks(whole: float) -> tuple[int, int]:
        layers = tuple(replace(r, trim_budget=whole) if r.name == name else r for r in report.solution.layers)
        some = replace(report, solution=replace(report.solution, layers=layers))
        files = [read(written(tmp_path, some, precision)).solution for precision in ("float16", "float32")]
        return tuple(file.updates.text_encoder[name].rank for file in files)  # pyright: ignore[reportReturnType]

    assert ranks(0.99 * spare / LOSS) == ranks(0.0) == (update.rank, update.rank)
    assert ranks(1.01 * spare / LOSS) == (update.rank - 1, update.rank)
    assert ranks(1e9) == (1, update.rank)


def test_what_was_asked_and_measured_comes_back(tmp_path):
    report = example()
    back = read(written(tmp_path, report, "float32"))
    assert back.solution.request == report.solution.request
    assert back.solution.options == report.solution.options
    assert back.solution.trials == report.solution.trials
    assert back.solution.start == 0
    assert back.drift == report.drift
    assert (back.leak_training, back.leak_unseen) == (report.leak_training, report.leak_unseen)
    assert back.leak_unlisted == report.leak_unlisted == (0.5, None)
    assert back.leak_found == report.leak_found == ((("puss", 0.4),), ())
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
        "found": ["puss"],
    }


def test_the_unet_that_all_loaders_know_has_the_names_that_all_loaders_know():
    """SD1's and SD2's: kohya's scripts and diffusers pass over the UNet's own names. Any other keeps its own."""
    block = "lora_unet_{}_transformer_blocks_0_attn2_to_k"
    whole = [block.format(name) for name in KOHYA_BLOCKS]
    names = dict(zip(KOHYA_BLOCKS, kohya_names(whole), strict=True))
    assert len(set(names.values())) == 16
    assert names["input_blocks_1_1"] == block.format("down_blocks_0_attentions_0")
    assert names["input_blocks_8_1"] == block.format("down_blocks_2_attentions_1")
    assert names["middle_block_1"] == block.format("mid_block_attentions_0")
    assert names["output_blocks_3_1"] == block.format("up_blocks_1_attentions_0")
    assert names["output_blocks_11_1"] == block.format("up_blocks_3_attentions_2")
    encoder = "lora_te_text_model_encoder_layers_0_mlp_fc2"
    assert kohya_names([encoder, *whole]) == [encoder, *names.values()]
    assert kohya_names([encoder, *whole[1:]]) == [encoder, *whole[1:]]
    assert kohya_names([*whole, block.format("output_blocks_2_1")])[:16] == whole


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
    assert report.solution.updates.checksum() == "bba954ee34d06f53"
    assert (
        report.digest
        == {"format_1": "f391dc6e02b0b03d", "format_2": "49c43b2edf6c4b86", "format_3": "49c43b2edf6c4b86"}[file.stem]
    )


def test_an_old_file_that_was_changed_is_refused_too():
    tensors, metadata = load_file(OLD / "format_1.safetensors"), {}
    with safe_open(OLD / "format_1.safetensors", "pt") as file:
        metadata = file.metadata()
    assert unpack(tensors, metadata)
    with pytest.raises(FileError, match=r"its contents have the digest .* it was changed after it was saved"):
        unpack({name: tensor * 2 if "lora_up" in name else tensor for name, tensor in tensors.items()}, metadata)


def test_there_is_a_file_of_every_format_so_far():
    assert {path.stem for path in OLD.glob("*.safetensors")} == {f"format_{n}" for n in range(1, FORMAT + 1)}


def test_a_checksum_names_everything_that_is_erasepros_in_a_file():
    tensors, metadata = pack(example(), "float16")
    known = metadata[CHECKSUM]
    assert checksum(tensors, metadata) == known
    assert checksum(tensors, metadata | {"ss_comment": "of another program"}) == known
    others = [metadata | {key: text + " "} for key, text in metadata.items() if key != CHECKSUM]
    found = {checksum(tensors, other) for other in others}
    found |= {checksum({**tensors, name: tensor + 1}, metadata) for name, tensor in tensors.items()}
    assert len(found) == len(others) + len(tensors)
    assert known not in found


def test_a_file_of_a_later_format_says_that_the_pack_is_too_old():
    tensors, metadata = pack(example(), "float32")
    with pytest.raises(FileError, match=r"format '4'; this pack reads 1, 2, 3. Update ErasePro"):
        unpack(tensors, metadata | {"erasepro.format": "4"})


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


def test_a_digest_names_what_was_asked_of_which_weights():
    report = example()
    solution, weights = report.solution, report.fingerprints
    assert len(report.digest) == 16
    same = replace(report, leak_unseen=(0.1, 0.1), solution=replace(solution, seconds=9.0))
    assert digest_of(same.solution, weights) == report.digest
    others = [
        digest_of(solution, {**weights, KEYS: (2.0, 0.24)}),
        digest_of(replace(solution, options=replace(solution.options, tolerance=0.3)), weights),
        digest_of(replace(solution, request=parse_request("ring -> moon", "object")), weights),
        digest_of(replace(solution, start=1), weights),
    ]
    assert len({report.digest, *others}) == 5


def test_options_come_back_to_the_last_digit(tmp_path):
    report = example()
    solution = replace(report.solution, options=replace(report.solution.options, tolerance=0.123456789))
    assert read(written(tmp_path, replace(report, solution=solution), "float16")).solution.options == solution.options


def test_one_name_of_an_erasure_is_the_same_in_every_file_of_it(tmp_path):
    report = example()
    names = {precision: read(written(tmp_path, report, precision)).digest for precision in ("float16", "float32")}
    assert set(names.values()) == {report.digest}
    whole, half = (pack(report, precision)[1][CHECKSUM] for precision in ("float32", "float16"))
    assert whole != half


def test_what_leaves_as_json_has_only_numbers_that_json_has():
    """The condition of UCE is not a number, and one of these layers has none; a page's history must survive it."""
    report = example()
    assert any(record.condition != record.condition for record in report.solution.layers)
    values = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert [layer["condition"] for layer in values["layers"]] == [12.5, None, 3.0]
    with pytest.raises(ValueError, match="not JSON compliant"):
        json.dumps([record.condition for record in report.solution.layers], allow_nan=False)


def test_what_moved_too_far_is_warned_of_by_name():
    report = example()
    (warning,) = report.warnings()
    assert warning.startswith("MOVED, preserves: ring 0.250.")
    assert warning in report.short()
    assert not replace(report, moved={"preserves": (("ring", 0.19),)}).warnings()
    assert replace(report, moved={"neighbours": (("moon", float("nan")),)}).warnings()  # what cannot be told is told


def test_what_may_show_in_pictures_is_warned_of():
    report = replace(example(), moved={}, leak_training=(0.1,), leak_unseen=(0.29,))
    assert not report.warnings()
    (warning,) = replace(report, leak_unseen=(0.31,)).warnings()
    assert warning.startswith("LEFT, circle | disc -> square: leak 0.31 in unseen sentences.")


def test_an_anchor_that_only_leaves_out_words_must_leave_little():
    """Of `bare robot -> robot` half of the pictures were as before at a leak of .21; with a coat none, at .26."""
    report = replace(example(), moved={}, leak_training=(0.1,), leak_unseen=(0.12,))
    assert not report.still_there()
    solution = replace(report.solution, request=parse_request("red cup -> cup", "object"))
    left = replace(report, solution=solution)
    assert left.still_there() == [(0, 0.12)]
    assert "only leaves out 'red'" in why_not_erased(left)
    assert not left.warnings()  # what is an error is no warning too
    assert not replace(left, leak_unseen=(0.1,)).still_there()


def test_own_sentences_travel_in_a_file_and_change_the_digest(tmp_path):
    report = example()
    request = parse_request("circle -> square", "object", sentences="a {} in my garden", only_own=True)
    own = replace(report.solution, request=request)
    whole = replace(
        report,
        solution=own,
        leak_training=(0.1,),
        leak_unseen=(0.1,),
        leak_unlisted=(None,),
        leak_found=((),),
        checks=(),
    )
    assert read(written(tmp_path, whole, "float32")).solution.request == request
    other = replace(own, request=parse_request("circle -> square", "object"))
    assert digest_of(own, {}) != digest_of(other, {})
