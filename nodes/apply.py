"""Apply Erasure: clones of MODEL and CLIP that carry the erasure as patches."""

from __future__ import annotations

import logging

from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy_api.latest import io, ui

from ..erasepro_core import Report
from ..erasepro_core.sketch import difference
from .host import fingerprints, with_erasure
from .sockets import ALIASES, CATEGORY, Erasure, known

log = logging.getLogger("erasepro")

SAME_WEIGHTS = 0.01
"""Weights that differ by at most this share count as the same; half precision makes a difference of about 0.001."""


class ApplyErasure(io.ComfyNode):
    """Adds the patches to clones; the given MODEL and CLIP are not changed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ErasePro_Apply",
            display_name="Apply Erasure",
            category=CATEGORY,
            **known(io.Schema, search_aliases=ALIASES),
            description="Applies an erasure to MODEL and CLIP. Use both outputs: each has a part of the erasure.",
            inputs=[
                io.Model.Input(
                    "model", tooltip="The diffusion model that the erasure was solved on, with the same LoRAs."
                ),
                io.Clip.Input(
                    "clip",
                    tooltip="The text encoder that the erasure was solved on. Encode your prompts "
                    "with the CLIP output.",
                ),
                Erasure.Input("erasure", tooltip="From ErasePro Solve or Load Erasure."),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="1 erases. 0 is the original model, bit by bit. Values between weaken a concept without "
                    "removing it.",
                ),
            ],
            outputs=[
                io.Model.Output("erased_model", display_name="MODEL"),
                io.Clip.Output("erased_clip", display_name="CLIP"),
            ],
        )

    @classmethod
    def execute(cls, model: ModelPatcher, clip: CLIP, erasure: Report, strength: float) -> io.NodeOutput:
        erased = with_erasure(model, clip, erasure.solution.updates, strength)
        if strength == 0.0:
            return io.NodeOutput(*erased)
        distance = difference(erasure.fingerprints, fingerprints(model, clip, erasure.solution.updates))
        if distance is not None and distance <= SAME_WEIGHTS:
            return io.NodeOutput(*erased)
        warning = _other_weights(distance)
        log.warning(warning)
        return io.NodeOutput(*erased, ui=ui.PreviewText(warning))


def _other_weights(distance: float | None) -> str:
    """The warning for weights that are not, or not known to be, those the erasure was solved on."""
    if distance is None:
        seen = "This erasure does not say which weights it was solved on."
    else:
        seen = f"This erasure was solved on other weights: they differ by about {distance:.1%}."
    return (
        f"{seen} The measures in its report may not hold for this model. Measure it with Audit Erasure, or solve again "
        "on this model."
    )
