"""The node that puts the mini model on a canvas, for tests and the demo."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .evaluation import MiniEvaluate, MiniStranger
from .model import load


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


class MiniExtension(ComfyExtension):
    """The nodes of this folder."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [MiniLoader, MiniEvaluate, MiniStranger]
