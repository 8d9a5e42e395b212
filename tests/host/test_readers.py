"""What other programs take of a file for Stable Diffusion; families/test_diffusers.py has the other families."""

import importlib
import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from erasepro_core.files import pack
from erasepro_core.readers import losses, taken
from erasepro_core.solution import Side
from erasepro_core.update import RowUpdate
from tests.artefact import normal
from tests.host.readers import diffusers_added, erasure, random_erasure
from tests.host.test_lora_names import model  # noqa: F401

BLOCKS, WIDTH, VOCABULARY = 3, 24, 60
TEXT = "clip_l.transformer.text_model.encoder.layers"
TABLE = "clip_l.transformer.text_model.embeddings.token_embedding"


@pytest.fixture(scope="module")
def report(model):  # noqa: F811
    """An erasure of SD1.5's layout: the first block's queries, keys and values, every fc2, cross-attention."""
    from erasepro_core.families import FAMILIES

    keys = list(model.state_dict())
    family = next(family for family in FAMILIES if family.name == "sd1")
    text = {f"{TEXT}.0.self_attn.{name}_proj": (WIDTH, WIDTH) for name in "qkv"}
    text |= {f"{TEXT}.{n}.mlp.fc2": (WIDTH, 2 * WIDTH) for n in range(BLOCKS)}
    unet = {name: (len(model.get_parameter(f"{name}.weight")), 24) for name in family.inputs([], keys)[0].layers}
    sides = dict.fromkeys(text, Side.TEXT_ENCODER) | dict.fromkeys(unet, Side.DIFFUSION_MODEL)
    return random_erasure("sd1", text | unet, sides)


@pytest.fixture
def pipeline(diffusers_library, tmp_path) -> Iterator[Any]:
    """diffusers' own reader on a UNet and a text encoder of SD1.5's layout: what each module got of a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        diffusers = importlib.import_module("diffusers")
        Reader = importlib.import_module("diffusers.loaders").StableDiffusionLoraLoaderMixin
    from transformers import CLIPTextConfig, CLIPTextModel

    def load(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        sizes: dict[str, Any] = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_attention_heads": 4}
        text = CLIPTextModel(CLIPTextConfig(vocab_size=VOCABULARY, num_hidden_layers=BLOCKS, **sizes))
        unet = diffusers.UNet2DConditionModel(
            block_out_channels=(32, 64, 128, 128), cross_attention_dim=24, attention_head_dim=8
        )
        save_file(tensors, tmp_path / "erasure.safetensors")
        with torch.inference_mode(False), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are diffusers' and peft's own
            state, alphas = Reader.lora_state_dict(str(tmp_path / "erasure.safetensors"), unet_config=unet.config)
            Reader.load_lora_into_unet(state, network_alphas=alphas, unet=unet, adapter_name="erasure")
            Reader.load_lora_into_text_encoder(state, network_alphas=alphas, text_encoder=text, adapter_name="erasure")
        return {**_deltas(unet, "lora_unet_"), **_deltas(text, "lora_te_text_model_")}

    yield load


def _deltas(module: Any, prefix: str) -> dict[str, torch.Tensor]:
    """What a LoRA adds to each weight, by the name that the file has for its layer."""
    return {
        prefix + name.removeprefix("text_model.").replace(".", "_"): delta
        for name, delta in diffusers_added(module).items()
    }


def wanted(report: Any) -> dict[str, torch.Tensor]:
    """The change of every layer, by its name in the file."""
    tensors = pack(report, "float32")[0]
    layers = {key.rpartition(".lora_up")[0] for key in tensors if key.endswith(".lora_up.weight")}
    dense = {key: tensors[f"{key}.lora_up.weight"] @ tensors[f"{key}.lora_down.weight"] for key in layers}
    return {key: change for key, change in dense.items() if change.any()}


def test_diffusers_puts_every_update_on_its_layer(report, pipeline):
    changed, got = wanted(report), pipeline(pack(report, "float32")[0])
    assert set(got) == set(changed)
    for name, change in changed.items():
        torch.testing.assert_close(got[name], change)


def test_without_zeros_beside_them_diffusers_passes_over_queries_keys_and_values(report, pipeline):
    tensors = {key: tensor for key, tensor in pack(report, "float32")[0].items() if "out_proj" not in key}
    assert {name for name in wanted(report) if "self_attn" in name} == set(wanted(report)) - set(pipeline(tensors))


def test_diffusers_reads_nothing_of_a_file_with_rows_of_the_token_table(report, pipeline):
    table = RowUpdate(torch.tensor([3, 7]), normal(2, WIDTH, seed=3), VOCABULARY)
    text, unet = report.solution.updates.parts()
    made = erasure("sd1", {TABLE: table, **text}, dict(unet))
    assert pipeline(pack(made, "float32")[0]) == {}
    assert taken("diffusers", "sd1", pack(made, "float32")[0]) == set()
    assert any("diffusers" in line and "own_tokens" in line for line in losses("sd1", pack(made, "float32")[0]))


@pytest.mark.parametrize("program", ["ComfyUI, Load LoRA", "diffusers", "kohya's sd-scripts", "Forge", "InvokeAI"])
def test_the_rules_of_readers_take_all_of_such_a_file(report, program):
    tensors = pack(report, "float32")[0]
    assert taken(program, "sd1", tensors) == {key.rpartition(".lora_up")[0] for key in tensors if "lora_up" in key}
    assert not [line for line in losses("sd1", tensors) if program in line]


def test_a_loader_of_the_model_alone_is_said_to_leave_the_text_encoder_out(report):
    (line,) = json.loads(pack(report, "float32")[1]["erasepro.readers"])
    assert line == (
        "ComfyUI, LoraLoaderModelOnly takes 32 of 38 layers, so the concept may come back: solve with own_tokens off "
        "and where set to cross-attention."
    )


def test_programs_that_do_not_know_a_family_are_named_in_one_line(report):
    made = erasure("pixart", dict(report.solution.updates.text_encoder), dict(report.solution.updates.diffusion_model))
    *_, line = losses("pixart", pack(made, "float32")[0])
    assert line == "It is not made for diffusers, kohya's sd-scripts, Forge, InvokeAI, which take none of it."


def test_the_zeros_are_no_layer_and_nothing_else_may_stand_in_their_place(report):
    from erasepro_core import FileError
    from erasepro_core.container import CHECKSUM, checksum
    from erasepro_core.files import unpack

    tensors, metadata = pack(report, "float32")
    assert unpack(tensors, metadata).solution.updates.checksum() == report.solution.updates.checksum()
    key = "lora_te_text_model_encoder_layers_0_self_attn_out_proj.lora_up.weight"
    tensors = tensors | {key: torch.ones_like(tensors[key])}
    metadata = {name: text for name, text in metadata.items() if name != CHECKSUM}
    with pytest.raises(FileError, match="are of no layer that its metadata names"):
        unpack(tensors, metadata | {CHECKSUM: checksum(tensors, metadata)})
