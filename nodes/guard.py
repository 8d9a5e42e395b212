"""Require Erasure: returns MODEL and CLIP unchanged, or stops the run."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy_api.latest import io, ui

from ..erasepro_core import Report
from ..erasepro_core.audit import THRESHOLD, guard
from .host import HostPath
from .sockets import CATEGORY, Erasure

MAX_THRESHOLD = 0.9
"""A higher threshold would let a model pass from which nothing was erased."""


class StillThereError(RuntimeError):
    """A concept that the model still understands, or that cannot be measured; no node after the guard runs."""


class RequireErasure(io.ComfyNode):
    """Measures MODEL and CLIP in front of the sampler; no label or file name counts."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ErasePro_Guard",
            display_name="Require Erasure",
            category=CATEGORY,
            description="Lets MODEL and CLIP pass only if every concept of the erasure is gone from them, measured in "
            "this model at every change. Put it last, after LoRAs and merges, and use both outputs.",
            inputs=[
                io.Model.Input("model", tooltip="The MODEL on its way to the sampler."),
                io.Clip.Input("clip", tooltip="The CLIP on its way to your prompt nodes."),
                Erasure.Input("erasure", tooltip="What must be gone: from ErasePro Solve or Load Erasure."),
                io.Float.Input(
                    "threshold",
                    default=THRESHOLD,
                    min=0.0,
                    max=MAX_THRESHOLD,
                    step=0.01,
                    tooltip="The run stops when a name has more leak than this. 1 is the concept untouched, 0 gone.",
                ),
            ],
            outputs=[
                io.Model.Output("same_model", display_name="MODEL"),
                io.Clip.Output("same_clip", display_name="CLIP"),
            ],
        )

    @classmethod
    def execute(cls, model: ModelPatcher, clip: CLIP, erasure: Report, threshold: float) -> io.NodeOutput:
        if not 0 <= threshold <= MAX_THRESHOLD:  # a value that comes by wire is not checked by the host
            raise ValueError(f"the threshold is {threshold}; it must lie between 0 and {MAX_THRESHOLD}.")
        path = HostPath(model, clip)
        if reasons := path.not_measured():
            raise StillThereError(
                f"{'; '.join(reasons)}. What acts beside the weights cannot be measured, so nothing passes. Use "
                "loaders that patch weights, in front of the guard, or take it out."
            )
        result = guard(erasure.solution.request, erasure.checks, path, threshold)
        if not result.passed:
            names = "; ".join(result.failures())
            raise StillThereError(
                f"not erased from this MODEL and CLIP: {names}. The threshold is {threshold:.2f} (1 untouched, 0 "
                "gone). Connect both outputs of Apply Erasure, with strength 1 and the erasure made for this "
                "model, and look at what LoRAs and merges behind it bring back."
            )
        return io.NodeOutput(model, clip, ui=ui.PreviewText(result.short()))
