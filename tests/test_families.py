"""Families are told by the names of their weights."""

from pathlib import Path

import pytest

from erasepro_core.families import FAMILIES, FamilyError, family_of
from erasepro_core.families.encoders import llm_encoder
from erasepro_core.families.sd1 import SD1

TEXT = "clip_l.transformer.text_model.encoder.layers.{}.{}.weight"
CLIP = [TEXT.format(n, part) for n in range(12) for part in ("self_attn.k_proj", "self_attn.v_proj", "mlp.fc2")]
CROSS = "diffusion_model.{}.transformer_blocks.0.attn2.to_{}.weight"
UNET = [CROSS.format(block, kv) for block in ("output_blocks.3.1", "input_blocks.1.1", "middle_block.1") for kv in "vk"]
UNET += ["diffusion_model.input_blocks.10.1.transformer_blocks.0.attn2.to_k.weight"]
UNET += ["diffusion_model.input_blocks.2.1.transformer_blocks.0.attn1.to_k.weight"]


def test_a_model_with_clip_l_and_cross_attention_is_sd1():
    assert family_of(CLIP, UNET).name == "sd1"


@pytest.mark.parametrize(
    ("text", "diffusion", "message"),
    [
        ([], UNET, r"Stable Diffusion 1.x with clip_l.*The CLIP has no text encoder"),
        (CLIP, [], r"of no family that ErasePro knows: it has no weights\. ErasePro knows Stable Diffusion 1.x, .*"),
        ([key.replace("clip_l", "clip_q") for key in CLIP], UNET, r"The CLIP has clip_q\. Connect"),
        (
            [*CLIP, "clip_q.transformer.text_model.encoder.layers.0.mlp.fc2.weight"],
            UNET,
            r"The CLIP has clip_l, clip_q",
        ),
    ],
)
def test_what_is_of_no_family_is_described(text, diffusion, message):
    with pytest.raises(FamilyError, match=message):
        family_of(text, diffusion)


def test_blocks_come_in_execution_order():
    blocks = SD1().encoders(sorted(CLIP))[0].blocks
    assert [block.output.split(".")[5] for block in blocks] == [str(n) for n in range(12)]
    assert blocks[11].qkv == tuple(TEXT.format(11, f"self_attn.{p}_proj").removesuffix(".weight") for p in "qkv")


def test_merged_queries_keys_and_values_are_one_layer():
    part = "llama.transformer.model.layers.{}.{}.weight"
    apart = [part.format(n, name) for n in range(2) for name in ("self_attn.q_proj", "mlp.down_proj")]
    merged = [key.replace("q_proj", "qkv_proj") for key in apart]
    assert [name.rpartition(".")[2] for name in llm_encoder(apart, "llama").blocks[1].qkv] == [
        "q_proj",
        "k_proj",
        "v_proj",
    ]
    assert llm_encoder(merged, "llama").blocks[1].qkv == ("llama.transformer.model.layers.1.self_attn.qkv_proj",)


def test_lora_names_are_those_that_stock_loaders_read():
    family = SD1()
    encoder, cross = TEXT.format(3, "mlp.fc2").removesuffix(".weight"), CROSS.format("input_blocks.1.1", "k")
    assert family.lora_name("text_encoder", encoder) == "lora_te_text_model_encoder_layers_3_mlp_fc2"
    name = family.lora_name("diffusion_model", cross.removesuffix(".weight"))
    assert name == "lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_k"


def test_cross_attention_comes_in_execution_order_and_self_attention_not_at_all():
    places = [
        name.removeprefix("diffusion_model.").replace(".transformer_blocks.0.attn2.to", "")
        for name in SD1().inputs(CLIP, UNET)[0].layers
    ]
    assert places == [
        "input_blocks.1.1_k",
        "input_blocks.1.1_v",
        "input_blocks.10.1_k",
        "middle_block.1_k",
        "middle_block.1_v",
        "output_blocks.3.1_k",
        "output_blocks.3.1_v",
    ]


def test_the_table_in_readme_is_that_of_the_families():
    lines = ["| model | text encoders | changed in the diffusion model | left as it is |", "| --- | --- | --- | --- |"]
    for family in FAMILIES:
        encoders = ", ".join(f"{n} (or without)" if n in family.optional else n for n in family.encoder_names)
        changed = ", ".join(f"`{layer}`" for layer in family.reads)
        lines.append(f"| {family.title} | {encoders} | {changed} | {family.leaves} |")
    table = "\n".join(lines)
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert table in readme, f"README.md, 'Which models', must have this table:\n{table}"


def test_every_family_has_a_name_of_its_own():
    assert len({family.name for family in FAMILIES}) == len({family.title for family in FAMILIES}) == len(FAMILIES)


def test_a_clip_without_an_encoder_that_the_model_needs_is_told_which():
    unet = [*UNET, "diffusion_model.label_emb.0.0.weight"]
    with pytest.raises(FamilyError, match=r"XL with clip_l and clip_g; or .*Refiner with clip_g.* CLIP has clip_l\."):
        family_of(CLIP, unet)
    both = [*CLIP, *(key.replace("clip_l", "clip_g") for key in CLIP)]
    assert family_of(both, unet).name == "sdxl"
