"""The node that puts the mini model on a canvas, for tests and the demo."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .evaluation import MiniEvaluate, MiniStranger
from .model import load, shaken


class MiniLoader(io.ComfyNode):
    """Load the mini model; EmptyLatentImage 128 x 128 becomes its 16 x 16 picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MiniLoader",
            display_name="Load Mini Model",
            category="testing",
            description="A tiny model of coloured, styled shapes. For tests only. Use a 128 x 128 empty latent.",
            inputs=[],
            outputs=[io.Model.Output(), io.Clip.Output(), io.Vae.Output()],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(*load())


class MiniOther(io.ComfyNode):
    """A model of the same family and size with other weights."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MiniOther",
            display_name="Load Another Mini Model",
            category="testing",
            description="The mini model with noise on every weight: another checkpoint of the family. For tests only.",
            inputs=[],
            outputs=[io.Model.Output(), io.Clip.Output(), io.Vae.Output()],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(*shaken())


class MiniExtension(ComfyExtension):
    """The nodes of this folder."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [MiniLoader, MiniOther, MiniEvaluate, MiniStranger]
