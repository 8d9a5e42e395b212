"""diffusers' own loaders on the files of families with a transformer: what each layer gets, on tiny models."""

import warnings
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from erasepro_core.files import pack, unpack
from erasepro_core.readers import layers_of, losses, taken
from erasepro_core.solution import Side
from tests import pack as packs
from tests.host.readers import diffusers_added, random_erasure

pytestmark = pytest.mark.usefixtures("comfy_library", "diffusers_library")
CONTEXT, POOLED = "context_embedder", "time_text_embed.text_embedder.linear_1"
MODULES: dict[str, dict[str, str]] = {
    "sd3": {"context_embedder": CONTEXT, "y_embedder.mlp.0": POOLED},
    "flux": {"txt_in": CONTEXT, "vector_in.in_layer": POOLED},
    "flux2": {"txt_in": CONTEXT},
    "flux2_klein_4b": {"txt_in": CONTEXT},
    "aura_flow": {"cond_seq_linear": CONTEXT},
    "hidream": {},
    "z_image": {},
    "qwen_image": {},
    "wan": {"text_embedding.0": "condition_embedder.text_embedder.linear_1"},
    "ltxv": {},
}
"""What diffusers calls the linears of each family, where it calls them otherwise."""


@dataclass(frozen=True)
class Files:
    """A family's tiny model, and the files of an erasure of all its layers and of its diffusion model alone."""

    family: str
    whole: Any
    alone: Any

    @property
    def pipeline(self) -> Any:
        widths = {name.removeprefix("diffusion_model."): update.right.shape[1]
                  for name, update in self.whole.solution.updates.diffusion_model.items()}  # fmt: skip
        from tests.host.families.diffusers_models import PIPELINES

        return PIPELINES[self.family](widths)


@pytest.fixture(scope="module", params=MODULES)
def files(request, comfy_library) -> Files:
    from tests.host.families.models import MODELS

    with torch.inference_mode():
        model, clip = MODELS[request.param]()
        path = packs.module("nodes.host").HostPath(model, clip)
        layers = {layer for text_input in path.inputs if text_input.edited for layer in text_input.layers}
        ends = {block.output for encoder in path.encoders for block in encoder.blocks}
        modules = [path.module(name) for name in sorted(ends)] + [model.model.get_submodule(n) for n in sorted(layers)]
        shapes = dict(zip((*sorted(ends), *sorted(layers)), (tuple(m.weight.shape) for m in modules), strict=True))
        sides = {name: Side.DIFFUSION_MODEL if name in layers else Side.TEXT_ENCODER for name in shapes}
        alone = {name: shape for name, shape in shapes.items() if name in layers}
        return Files(
            request.param,
            random_erasure(request.param, shapes, sides),
            random_erasure(request.param, alone, sides),
        )


def changes(report: Any) -> dict[str, torch.Tensor]:
    """The change of every linear of the diffusion model, by the name that diffusers has for it."""
    found = {}
    for name, update in report.solution.updates.diffusion_model.items():
        own = name.removeprefix("diffusion_model.")
        found[MODULES[report.solution.updates.family].get(own, own)] = update.dense()
    return found


def loaded(files: Files, report: Any, folder: Any) -> dict[str, torch.Tensor]:
    """What diffusers' own loader adds to each linear of its transformer; nothing where it refuses the file."""
    pipeline = files.pipeline
    save_file(pack(report, "float32")[0], folder / "erasure.safetensors")
    with torch.inference_mode(False), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are diffusers' and peft's own
        try:
            pipeline.load_lora_weights(str(folder / "erasure.safetensors"), adapter_name="erasure")
        except ValueError:
            assert not taken("diffusers", files.family, pack(report, "float32")[0])
    return diffusers_added(pipeline.transformer)


def test_every_linear_gets_its_update_from_a_file_of_the_diffusion_model_alone(files, tmp_path):
    tensors = pack(files.alone, "float32")[0]
    got, wanted = loaded(files, files.alone, tmp_path), changes(files.alone)
    assert set(got) == set(wanted)
    for name, change in wanted.items():
        torch.testing.assert_close(got[name], change)
    assert taken("diffusers", files.family, tensors) == layers_of(tensors)
    assert not any(line.startswith("diffusers") for line in losses(files.family, tensors))


def test_of_a_file_with_text_encoders_it_takes_what_its_rule_says(files, tmp_path):
    got, tensors = loaded(files, files.whole, tmp_path), pack(files.whole, "float32")[0]
    said = taken("diffusers", files.family, tensors)
    assert len(said) < len(layers_of(tensors))  # of the text encoders it takes none
    assert set(got) == (set(changes(files.whole)) if said else set())


def test_such_a_file_is_read_back_onto_the_same_layers(files):
    for report in (files.whole, files.alone):
        back = unpack(*pack(report, "float32"))
        assert back.solution.updates.checksum() == report.solution.updates.checksum()


def test_the_host_reads_every_layer_of_it(files):
    import comfy.lora

    from tests.host.families.models import MODELS

    model, clip = MODELS[files.family]()
    known = comfy.lora.model_lora_keys_unet(model.model, {})
    known = comfy.lora.model_lora_keys_clip(clip.cond_stage_model, known)
    loaded = comfy.lora.load_lora(dict(pack(files.whole, "float32")[0]), known)
    updates = {name: update for part in files.whole.solution.updates.parts() for name, update in part.items()}
    changed = {key: patch for key, patch in loaded.items() if patch.weights[0].any()}
    assert set(changed) == {f"{name}.weight" for name in updates}
    for name, update in updates.items():
        up, down, alpha, *_ = changed[f"{name}.weight"].weights
        torch.testing.assert_close(up @ down * (1.0 if alpha is None else alpha / down.shape[0]), update.dense())
