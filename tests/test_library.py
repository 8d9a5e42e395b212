"""docs/library.md: its own code, run on the mini model as a diffusers pipeline, and what PipelinePath refuses."""

import importlib
import re
import runpy
import warnings
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from erasepro_core import FamilyError, Options
from erasepro_core.families import FAMILIES
from erasepro_core.pipeline import PipelinePath
from tests import pack

PAGE = (pack.ROOT / "docs" / "library.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
CHECKPOINT = '"stable-diffusion-v1-5/stable-diffusion-v1-5"'
STEPS = "steps=20"
PROMPTS = ["a photo of a circle", "a red disc"] * 4

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")  # diffusers'


@pytest.fixture(scope="module")
def pipe(diffusers_library, mini):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are diffusers' own
        from tests.mini import model
        from tests.mini.pipeline import pipeline

        made = pipeline(*model.load()[:2])  # weights of its own: those of `mini` may be another clone's just now
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture(scope="module")
def page(pipe, tmp_path_factory):
    """The names that the page's code leaves behind."""
    folder = tmp_path_factory.mktemp("library")
    pipe.save_pretrained(folder / "mini")
    code = "\n".join(CODE)
    assert CHECKPOINT in code and STEPS in code
    (folder / "page.py").write_text(code.replace(CHECKPOINT, repr(str(folder / "mini"))).replace(STEPS, "steps=4"))
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), torch.inference_mode(False):
        warnings.simplefilter("ignore")
        patch.chdir(folder)
        names = runpy.run_path(str(folder / "page.py"))
    return SimpleNamespace(**names)


def shown(pipe, prompts):
    from tests.mini import world
    from tests.mini.classifier import classify
    from tests.mini.pipeline import latents

    return {world.OBJECTS[index] for index in classify(latents(pipe, prompts))["object"].tolist()}


def test_the_pages_code_erases_from_the_pipeline(page):
    assert page.report.leak_unseen[0] < 0.05
    assert shown(page.pipe, PROMPTS) == {"circle"}
    with page.edited.active():
        assert shown(page.pipe, PROMPTS) == {"square"}
        assert shown(page.pipe, ["a blue triangle"] * 2) == {"triangle"}
    assert shown(page.pipe, PROMPTS) == {"circle"}  # nothing is left of it behind the block


def test_its_pictures_differ_and_its_file_gives_the_same(page):
    assert page.before.tobytes() != page.after.tobytes()
    assert page.same.size == page.after.size
    again, edited = (path.encode(path.tokenize(PROMPTS[:2])) for path in (page.again, page.edited))
    torch.testing.assert_close(again["context"], edited["context"], rtol=0, atol=2e-2)  # half precision in the file


def test_its_negative_prompt_is_the_original_ones(page):
    original = PipelinePath(page.pipe)
    said = original.encode(original.tokenize(["circle"]))["context"]
    torch.testing.assert_close(page.negative, said)
    erased = page.edited.encode(page.edited.tokenize(["circle"]))["context"]
    assert not torch.allclose(erased, said, atol=1e-2)


def test_a_pipeline_has_the_features_and_the_erasure_of_comfyui(pipe, mini):
    """The same tokens, features and, with the token table left alone, the same updates of the same layers."""
    from erasepro_core import parse_request, solve_request

    host, ours = pack.module("nodes.host").HostPath(*mini[:2]), PipelinePath(pipe)
    prompts = ["a photo of a red circle", "a drawing by Hokusai"]
    assert ours.tokenize(prompts) == host.tokenize(prompts)
    with torch.inference_mode():
        both = [path.encode(path.tokenize(prompts))["context"] for path in (ours, host)]
        torch.testing.assert_close(*both, atol=1e-4, rtol=1e-4)
        request, options = parse_request("circle -> square", "object"), Options.named(templates=2, own_tokens=False)
        mine, theirs = (solve_request(request, options, path).updates for path in (ours, host))
    assert mine.diffusion_model and set(mine.diffusion_model) == set(theirs.diffusion_model)
    for name, update in theirs.diffusion_model.items():
        torch.testing.assert_close(mine.diffusion_model[name].dense(), update.dense(), atol=2e-3, rtol=2e-2)


def test_layers_of_sd15s_depth_have_their_own_names(diffusers_library):
    """A UNet of SD1.5's layout, tiny: its 32 layers that read text, in the order in which the host has them."""
    from erasepro_core.pipeline import _own_name
    from tests.host.test_lora_names import SD15
    from tests.mini.model import UNET_CONFIG, Mini

    diffusers = importlib.import_module("diffusers")
    theirs = diffusers.UNet2DConditionModel(
        block_out_channels=(32, 64, 128, 128), cross_attention_dim=24, attention_head_dim=8
    )
    config = Mini({**UNET_CONFIG, **SD15})
    config.set_inference_dtype(torch.float32, None)
    keys = list(config.get_model({}, "", torch.device("cpu")).state_dict())
    family = next(family for family in FAMILIES if family.name == "sd1")
    wanted = {name: 24 for name in family.inputs([], keys)[0].layers}
    mapped = {f"diffusion_model.{_own_name(name, 2)}" for name, _ in theirs.named_modules() if ".attn2.to_" in name}
    assert set(wanted) == {name for name in mapped if name.endswith(("to_k", "to_v"))}
    assert len(wanted) == 32


def test_other_pipelines_are_refused_with_what_to_do(pipe):
    def like(**parts):
        return SimpleNamespace(
            **{"tokenizer": pipe.tokenizer, "text_encoder": pipe.text_encoder, "unet": pipe.unet} | parts
        )

    PipelinePath(like())
    with pytest.raises(FamilyError, match=r"has two text encoders.*solve in ComfyUI"):
        PipelinePath(like(text_encoder_2=pipe.text_encoder))
    with pytest.raises(FamilyError, match="lacks a tokenizer"):
        PipelinePath(like(unet=None))
    linear = SimpleNamespace(use_linear_projection=True, layers_per_block=2)
    with pytest.raises(FamilyError, match="Stable Diffusion 2 or XL"):
        PipelinePath(like(unet=SimpleNamespace(config=linear)))


def test_a_layer_with_an_adapter_is_refused(pipe):
    from torch import nn

    class Adapter(nn.Linear):
        """As peft has one in place of a linear."""

    block = pipe.text_encoder.get_submodule(next(n for n, _ in pipe.text_encoder.named_modules() if n.endswith("mlp")))
    plain = block.fc2
    block.fc2 = Adapter(plain.in_features, plain.out_features)
    try:
        with pytest.raises(FamilyError, match=r"1 layers of this pipeline are not plain.*fuse_lora"):
            PipelinePath(pipe)
    finally:
        block.fc2 = plain


def test_an_erasure_of_another_model_is_refused(pipe, page):
    updates = page.solution.updates
    with pytest.raises(FamilyError, match="made for sdxl; this is sd1"):
        PipelinePath(pipe, replace(updates, family="sdxl"))


def test_a_prompt_without_room_is_refused(pipe):
    with pytest.raises(ValueError, match="must fit into 75"):
        PipelinePath(pipe).tokenize(["a circle " * 60])
