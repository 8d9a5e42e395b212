"""The node that puts a family's tiny model on a canvas."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import comfy.sd
from comfy.taesd.taehv import TAEHV
from comfy.taesd.taesd import TAESD
from comfy_api.latest import ComfyExtension, io

ROOT = Path(__file__).resolve().parents[2]


class TinyLoader(io.ComfyNode):
    """Load a tiny model of a family, and a decoder of its own; weights are random."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TinyLoader",
            display_name="Load Tiny Model",
            category="testing",
            description="A tiny model with random weights. For tests only.",
            inputs=[io.String.Input("family")],
            outputs=[io.Model.Output(), io.Clip.Output(), io.Vae.Output()],
        )

    @classmethod
    def execute(cls, family: str) -> io.NodeOutput:
        model, clip = _repository("tests.host.families.models").MODELS[family]()
        return io.NodeOutput(model, clip, decoder(model))


def decoder(model: Any) -> comfy.sd.VAE:
    """One of the host's own small decoders, for pictures or for videos."""
    latent = model.model.latent_format
    network = TAEHV if latent.latent_dimensions == 3 else TAESD
    built = network(latent_channels=latent.latent_channels)
    _repository("tests.host.families.build").fill(built)
    return comfy.sd.VAE(sd=built.state_dict())


def _repository(name: str) -> Any:
    """A module of the repository, whose `tests` is not the folder of that name in ComfyUI."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
        sys.modules["tests"] = ModuleType("tests")
        sys.modules["tests"].__path__ = [str(ROOT / "tests")]
    return importlib.import_module(name)


class TinyExtension(ComfyExtension):
    """The node of this folder."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [TinyLoader]
