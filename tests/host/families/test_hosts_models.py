"""The host's own list of models: each entry is of a family of ours, or is refused with a reason."""

import functools
from typing import Any, NamedTuple

import pytest
import torch

from erasepro_core.families import FAMILIES, REFUSED, FamilyError, family_of

pytestmark = pytest.mark.usefixtures("comfy_library")

FAMILY_OF = {
    "sd1": "SD15 SD15_instructpix2pix",
    "sd2": "SD20 SD21UnclipL SD21UnclipH SD_X4Upscaler LotusD",
    "sdxl": "SDXL SDXL_instructpix2pix SSD1B Segmind_Vega KOALA_700M KOALA_1B",
    "sdxl_refiner": "SDXLRefiner",
    "stable_cascade": "Stable_Cascade_C",
    "stable_cascade_b": "Stable_Cascade_B",
    "sd3": "SD3",
    "flux": "Flux FluxSchnell FluxInpaint",
    "flux2": "Flux2",
    "chroma": "Chroma ChromaRadiance",
    "pixart": "PixArtAlpha PixArtSigma",
    "aura_flow": "AuraFlow",
    "hunyuan_dit": "HunyuanDiT HunyuanDiT1",
    "hunyuan_image_21": "HunyuanImage21 HunyuanImage21Refiner",
    "hidream": "HiDream",
    "lumina2": "Lumina2",
    "z_image": "ZImage",
    "qwen_image": "QwenImage",
    "omnigen2": "Omnigen2",
    "wan": "WAN21_T2V WAN21_I2V WAN21_FunControl2V WAN21_Vace WAN21_Camera WAN22_Camera WAN22_S2V WAN21_HuMo "
    "WAN22_Animate WAN22_T2V",
    "hunyuan_video": "HunyuanVideo HunyuanVideoI2V HunyuanVideoSkyreelsI2V",
    "hunyuan_video_15": "HunyuanVideo15 HunyuanVideo15_SR_Distilled",
    "ltxv": "LTXV",
    "mochi": "GenmoMochi",
    "cosmos": "CosmosT2V CosmosI2V",
    "cosmos_predict2": "CosmosT2IPredict2 CosmosI2VPredict2",
}
"""By family, the names of the host's entries."""
KNOWN = {entry: family for family, entries in FAMILY_OF.items() for entry in entries.split()}
REFUSED_AS = {
    "SVD_img2vid": "Stable Video Diffusion or SV3D",
    "SV3D_u": "Stable Video Diffusion or SV3D",
    "SV3D_p": "Stable Video Diffusion or SV3D",
    "Stable_Zero123": "Stable Zero123",
    "Hunyuan3Dv2": "Hunyuan3D 2",
    "Hunyuan3Dv2mini": "Hunyuan3D 2",
    "Hunyuan3Dv2_1": "Hunyuan3D 2.1",
    "StableAudio": "Stable Audio",
    "ACEStep": "ACE-Step",
}
"""By the host's entry, which of `REFUSED` it is."""
KEPT_SMALL = {"model_channels", "context_dim", "transformer_depth", "dim", "cond_seq_dim"}
"""Sizes of the host's entries that the tiny models have smaller."""
SVD = {
    "transformer_depth": [0, 1],
    "num_heads": 4,
    "num_head_channels": -1,
    "extra_ff_mix_layer": True,
    "use_spatial_context": True,
    "merge_strategy": "learned_with_images",
    "merge_factor": 0.0,
    "video_kernel_size": [3, 1, 1],
}
UNETS = {"SVD_img2vid": "sdxl", "SV3D_u": "sdxl", "SV3D_p": "sdxl", "Stable_Zero123": "sd1"}
"""Refused models that are built as these are."""
HUNYUAN_3D = {
    "in_channels": 64,
    "hidden_size": 64,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 1,
    "qkv_bias": True,
}
OWN_CONFIG = {
    "SVD_img2vid": SVD,
    "SV3D_u": SVD,
    "SV3D_p": SVD,
    "Hunyuan3Dv2": HUNYUAN_3D | {"context_in_dim": 64, "depth_single_blocks": 1, "guidance_embed": False},
    "Hunyuan3Dv2mini": HUNYUAN_3D | {"context_in_dim": 64, "depth_single_blocks": 1, "guidance_embed": False},
    "Hunyuan3Dv2_1": HUNYUAN_3D | {"context_dim": 64},
    "SD_X4Upscaler": {"disable_self_attentions": [True, False], "num_classes": 1000},
    "ChromaRadiance": {
        "in_channels": 3,
        "out_channels": 3,
        "patch_size": 16,
        "nerf_hidden_size": 16,
        "nerf_mlp_ratio": 2,
        "nerf_depth": 1,
        "nerf_max_freqs": 8,
        "nerf_tile_size": 0,
        "nerf_final_head_type": "conv",
        "nerf_embedder_dtype": torch.float32,
    },
}
"""What some entries have besides."""


def test_every_entry_of_the_hosts_list_is_one_of_ours_or_refused_with_a_reason():
    from comfy import supported_models

    assert {entry.__name__ for entry in supported_models.models} <= {*KNOWN, *REFUSED_AS}
    assert not set(KNOWN) & set(REFUSED_AS)
    assert all(other.reason for other in REFUSED)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # the host's own, in the upscaler
@pytest.mark.parametrize("entry", sorted(KNOWN))
def test_a_model_of_the_hosts_list_is_recognised(entry):
    assert family_of(facts(KNOWN[entry]).encoders, weight_names(entry)).name == KNOWN[entry]


@pytest.mark.parametrize("entry", sorted(REFUSED_AS))
def test_a_model_without_words_is_refused_by_name_whatever_clip_comes_with_it(entry):
    """A UNet of SVD has the names of Stable Diffusion's: with a CLIP beside it, it would pass for one."""
    (other,) = (other for other in REFUSED if other.title == REFUSED_AS[entry])
    for clip in ("sd1", "sd2"):
        with pytest.raises(FamilyError, match=rf"{other.title}: {other.reason}\. ErasePro knows Stable Diffusion 1"):
            family_of(facts(clip).encoders, weight_names(entry))


def test_what_a_newer_host_brings_gets_the_error_that_names_every_family():
    kandinsky = ["diffusion_model.visual_embeddings.in_layer.weight", "diffusion_model.text_embeddings.in_layer.weight"]
    with pytest.raises(FamilyError) as told:
        family_of(facts("qwen_image").encoders, kandinsky)
    assert "of no family that ErasePro knows: it has diffusion_model.text_embeddings" in str(told.value)
    assert all(family.title in str(told.value) for family in FAMILIES)


@pytest.mark.parametrize(
    ("family", "newer"),
    [("ltxv", "audio_patchify_proj.weight"), ("cosmos_predict2", "llm_adapter.blocks.0.norm.weight")],
)
def test_a_newer_model_with_more_parts_is_not_taken_for_an_older_one(family, newer):
    names = [*facts(family).weights, f"diffusion_model.{newer}"]
    with pytest.raises(FamilyError, match="of no family that ErasePro knows"):
        family_of(facts(family).encoders, names)


def test_boogu_is_not_taken_for_omnigen2():
    """A newer host's relative, with the same linears in front of other blocks and another language model."""
    names = [name.replace(".layers.", ".single_stream_layers.") for name in facts("omnigen2").weights]
    with pytest.raises(FamilyError, match="of no family that ErasePro knows"):
        family_of(facts("omnigen2").encoders, names)


class Facts(NamedTuple):
    """What is asked of a family's tiny model, kept without the model."""

    encoders: tuple[str, ...]
    """Names of the weights of its CLIP."""
    weights: tuple[str, ...]
    config: dict[str, Any]


@functools.cache
def facts(family: str) -> Facts:
    from tests.host.families import models

    model, clip = models.MODELS[family]()
    names = tuple(clip.cond_stage_model.state_dict()), tuple(model.model.state_dict())
    return Facts(*names, dict(model.model.model_config.unet_config))


def weight_names(entry: str) -> list[str]:
    """Of a tiny model that the host's entry makes, without memory for its weights."""
    from comfy import supported_models

    made = getattr(supported_models, entry)
    config = dict(tiny_config(entry))
    config |= {name: value for name, value in made.unet_config.items() if name not in KEPT_SMALL}
    described = made(config)
    described.unet_config |= config
    described.set_inference_dtype(torch.float32, None)
    return list(described.get_model(dict(OWN_WEIGHTS.get(entry, {})), "", "meta").state_dict())


def tiny_config(entry: str) -> dict[str, Any]:
    """The settings of its family's tiny model, and its own."""
    from comfy.ldm.chroma_radiance.model import ChromaRadianceParams

    from tests.host.families.build import if_asked

    base = UNETS.get(entry) or KNOWN.get(entry)
    own = OWN_CONFIG.get(entry, {})
    if entry == "ChromaRadiance":
        own |= if_asked(ChromaRadianceParams, use_x0=False, use_sequential_txt_ids=False)
    return facts(base).config | own if base else own


SECONDS = {"embedder.embedding.0.weights": (128,), "embedder.embedding.1.weight": (768, 257)}
OWN_WEIGHTS: dict[str, dict[str, torch.Tensor]] = {
    "Stable_Zero123": {"cc_projection.weight": torch.zeros(768, 772), "cc_projection.bias": torch.zeros(768)},
    "StableAudio": {
        f"conditioner.conditioners.{part}.{name}": torch.zeros(shape)
        for part in ("seconds_start", "seconds_total")
        for name, shape in (SECONDS | {"embedder.embedding.1.bias": (768,)}).items()
    },
}
"""Weights that the host wants to see before it makes a model."""


@pytest.mark.parametrize(
    ("name", "settings", "newer"),
    [
        ("flux", "flux.model.FluxParams", {"txt_ids_dims": []}),
        ("flux2", "flux.model.FluxParams", {"txt_ids_dims": [3]}),
        ("chroma", "chroma.model.ChromaParams", {"txt_ids_dims": [], "vec_in_dim": None}),
        ("hunyuan_video", "hunyuan_video.model.HunyuanVideoParams", {"meanflow_sum": False}),
    ],
)
def test_the_tiny_models_build_on_hosts_that_ask_for_more_settings(name, settings, newer, monkeypatch):
    """Newer hosts have some more, without a default."""
    import dataclasses
    import importlib

    from tests.host.families import models

    module, _, leaf = settings.rpartition(".")
    home = importlib.import_module(f"comfy.ldm.{module}")
    fields = {f.name: (f.name, f.type, f) for f in dataclasses.fields(getattr(home, leaf))}
    asked = [(setting, Any) for setting in newer if setting not in fields]
    monkeypatch.setattr(home, leaf, dataclasses.make_dataclass("Newer", [*asked, *fields.values()], kw_only=True))
    built = models.MODELS[name]()[0].model.diffusion_model
    assert {setting: getattr(built.params, setting) for setting in newer} == newer
