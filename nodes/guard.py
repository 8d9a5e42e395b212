"""Require Erasure: returns MODEL and CLIP unchanged, or stops the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy_api.latest import io, ui

from ..erasepro_core import Report
from ..erasepro_core.audit import THRESHOLD, guard
from .host import Beside, HostPath
from .sockets import ALIASES, CATEGORY, Erasure, known

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
            **known(io.Schema, search_aliases=ALIASES),
            description="Passes MODEL and CLIP on only if every concept of the erasure is gone from them. Measures "
            "them again after every change. Connect it last, after LoRAs and merges, and use both outputs.",
            inputs=[
                io.Model.Input("model", tooltip="The MODEL that the sampler will use."),
                io.Clip.Input("clip", tooltip="The CLIP that your prompt nodes will use."),
                Erasure.Input("erasure", tooltip="From ErasePro Solve or Load Erasure; its concepts must be gone."),
                io.Float.Input(
                    "threshold",
                    default=THRESHOLD,
                    min=0.0,
                    max=MAX_THRESHOLD,
                    step=0.01,
                    tooltip="The run stops if a name has more leak than this. Leak 1: the concept is unchanged; 0: it "
                    "is gone.",
                ),
                io.String.Input(
                    "allow",
                    default="",
                    optional=True,
                    tooltip="Empty: the run stops at everything that acts beside the weights, because it cannot be "
                    "measured. To let some of it through, such as an IP-Adapter, write its names as the message has "
                    "them, with commas between: attn2 replacement, hooks.",
                    **known(io.String.Input, advanced=True),
                ),
            ],
            outputs=[
                io.Model.Output("same_model", display_name="MODEL"),
                io.Clip.Output("same_clip", display_name="CLIP"),
            ],
        )

    @classmethod
    def execute(
        cls, model: ModelPatcher, clip: CLIP, erasure: Report, threshold: float, allow: str = ""
    ) -> io.NodeOutput:
        if not 0 <= threshold <= MAX_THRESHOLD:  # a value that comes by wire is not checked by the host
            raise ValueError(f"the threshold is {threshold}; it must lie between 0 and {MAX_THRESHOLD}.")
        path = HostPath(model, clip)
        beside = path.not_measured()
        _stop_at(beside, {name.strip() for name in allow.split(",")})
        result = guard(erasure.solution.request, erasure.checks, path, threshold)
        if not result.passed:
            names = "; ".join(result.failures())
            raise StillThereError(
                f"not erased from this MODEL and CLIP: {names}. The threshold is {threshold:.2f} (1 unchanged, 0 "
                "gone). Connect both outputs of Apply Erasure, with strength 1 and an erasure that was solved on this "
                "model, and check whether LoRAs and merges after it bring the concept back."
            )
        result = replace(result, remarks=tuple(f"Not measured, but allowed: {each}." for each in beside))
        return io.NodeOutput(model, clip, ui=ui.PreviewText(result.short()))


def _stop_at(beside: Sequence[Beside], allowed: set[str]) -> None:
    """Raises StillThereError for whatever acts beside the weights and is not allowed by name."""
    stops = [each for each in beside if each.name not in allowed]
    if stops:
        names = ", ".join(dict.fromkeys(each.name for each in stops))
        raise StillThereError(
            f"{'; '.join(map(str, stops))}. Only weights can be measured, so the run stops. Use loaders that patch "
            "weights and connect them before Require Erasure, or remove Require Erasure. To let this through without "
            f"being measured, write into allow: {names}"
        )
