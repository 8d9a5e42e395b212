"""The node that measures an erasure on the mini model inside ComfyUI, for tests and the demo."""

from __future__ import annotations

import importlib
import json
import sys

import torch
from comfy.sd import CLIP
from comfy.supported_models_base import ClipTarget
from comfy.text_encoders.sd2_clip import SD2ClipModel, SD2Tokenizer
from comfy_api.latest import io, ui

from .erased import Evaluation, Subject
from .tasks import TASKS

SHOWN = 8


class MiniEvaluate(io.ComfyNode):
    """Leak, drift and what pictures show, of the erased model against the original."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MiniEvaluate",
            display_name="Evaluate on Mini Model",
            category="testing",
            description="Measures an erasure on sentences of the mini world. For tests only.",
            inputs=[
                io.Model.Input("model"),
                io.Clip.Input("clip"),
                io.Vae.Input("vae"),
                io.Model.Input("erased_model"),
                io.Clip.Input("erased_clip"),
                io.Custom("ERASEPRO_ERASURE").Input("erasure"),
                io.Combo.Input("task", options=[task.name for task in TASKS]),
                io.Int.Input("count", default=24, min=1, max=1000),
                io.Int.Input("steps", default=20, min=1, max=100),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, model, clip, vae, erased_model, erased_clip, erasure, task, count, steps) -> io.NodeOutput:
        chosen = next(each for each in TASKS if each.name == task)
        original, erased = Subject(model, clip, vae), Subject(erased_model, erased_clip, vae)
        evaluation = Evaluation(chosen, original, _pack(), count=count, steps=steps)
        figures = evaluation(erased) | {"report": erasure.as_dict(), "table": erasure.table()}
        pictures = torch.stack([evaluation.pictures(original, SHOWN), evaluation.pictures(erased, SHOWN)], 1).flatten(
            0, 1
        )
        shown = ui.PreviewImage(pictures, cls=cls).as_dict()
        return io.NodeOutput(ui=shown | ui.PreviewText(json.dumps(figures)).as_dict())


class MiniStranger(io.ComfyNode):
    """A CLIP of another family (SD2) with untrained weights."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MiniStranger",
            display_name="Load a CLIP of Another Family",
            category="testing",
            description="A tiny SD2 text encoder with untrained weights. For tests only.",
            inputs=[],
            outputs=[io.Clip.Output()],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        small = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
        return io.NodeOutput(CLIP(ClipTarget(SD2Tokenizer, SD2ClipModel), model_options={"clip_h_model_config": small}))


def _pack() -> str:
    """Name of the pack's package in this process: the host names it after its path."""
    registry = importlib.import_module("nodes").NODE_CLASS_MAPPINGS
    module = sys.modules[registry["ErasePro_Solve"].__module__]
    return module.__name__.removesuffix(".nodes.solve")
