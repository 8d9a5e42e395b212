"""Audit Erasure: measures what the model that reaches the sampler still understands of some concepts."""

from __future__ import annotations

from dataclasses import replace

from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy_api.latest import io

from ..erasepro_core import Audit, Report, Request
from ..erasepro_core.audit import THRESHOLD, audit, audit_against, negative_remarks
from ..erasepro_core.plain import as_json
from ..erasepro_core.plots import audit_picture
from .host import HostPath, encoded_by, picture_or_reason, without_patches
from .panel import audit_panel
from .sockets import CATEGORY, Concepts, Erasure


class AuditErasure(io.ComfyNode):
    """Measures leak in a live model, with its LoRAs and merges; no picture is sampled."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ErasePro_Audit",
            display_name="Audit Erasure",
            category=CATEGORY,
            description="Measures how much of each concept is left in the MODEL and CLIP that reach the sampler, in "
            "sentences the erasure was not solved on. No picture is drawn.",
            inputs=[
                io.Model.Input("model", tooltip="The MODEL as it goes into the sampler."),
                io.Clip.Input("clip", tooltip="The CLIP as it goes into your prompt node."),
                *_widget_inputs(),
                Erasure.Input(
                    "erasure", optional=True, tooltip="From ErasePro Solve or Load Erasure: brings its own reference."
                ),
                Concepts.Input(
                    "concepts",
                    optional=True,
                    tooltip="From Define Concepts, for a model without an erasure or for names it does not list. The "
                    "reference is this model without any LoRA or erasure.",
                ),
                io.Conditioning.Input(
                    "negative_conditioning",
                    optional=True,
                    tooltip="Optional: the encoded negative prompt, to see which CLIP encoded it.",
                ),
            ],
            outputs=[
                io.Boolean.Output(
                    "erased", display_name="erased", tooltip="Whether every name is below the threshold."
                ),
                io.Float.Output("leak", display_name="leak", tooltip="Of the name that is there most."),
                io.String.Output("markdown", display_name="markdown", tooltip="Every sentence with its leak."),
                io.String.Output("json", display_name="json", tooltip="The same for other programs."),
                io.Image.Output("picture", display_name="picture", tooltip="Leak as bars. Needs matplotlib."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        clip: CLIP,
        threshold: float,
        prompts: str,
        negative: str,
        erasure: Report | None = None,
        concepts: Request | None = None,
        negative_conditioning: list | None = None,
    ) -> io.NodeOutput:
        path = HostPath(model, clip)
        probes = [line for line in prompts.splitlines() if line.strip()]
        if erasure is not None and concepts is None:
            result = audit(erasure.solution.request, erasure.checks, path, threshold, probes)
        elif concepts is not None and erasure is None:
            result = audit_against(concepts, HostPath(*without_patches(model, clip)), path, threshold, probes)
        else:
            raise ValueError(
                f"{'both' if concepts else 'neither'} of erasure and concepts are connected; connect one of the two: "
                "an erasure to check what it promises, or concepts to look for them in any model."
            )
        not_measured = [f"Not measured: {reason}." for reason in path.not_measured()]
        warnings = _negative_warnings(result, clip, negative, negative_conditioning)
        result = replace(result, remarks=(*warnings, *not_measured))
        picture = picture_or_reason(lambda: audit_picture(result))
        figures = as_json(result.as_dict(), indent=1)
        return io.NodeOutput(result.passed, result.leak, result.markdown(), figures, picture, ui=audit_panel(result))


def _widget_inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            "threshold",
            default=THRESHOLD,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="A name with more leak counts as still there. 1 is the concept untouched, 0 gone.",
        ),
        io.String.Input(
            "prompts",
            display_name="your probe prompts",
            multiline=True,
            default="",
            placeholder="optional: a night scene with {}",
            tooltip="Optional: sentences of your own, one a line, measured beside the built-in ones. {} stands "
            "for every name; a sentence without it must contain one of the names.",
        ),
        io.String.Input(
            "negative",
            display_name="negative prompt",
            multiline=True,
            default="",
            placeholder="optional: the negative prompt of this graph",
            tooltip="Optional: your negative prompt. A concept that is erased means its anchor there too, and "
            "guidance then pushes away from the anchor.",
        ),
    ]


def _negative_warnings(result: Audit, clip: CLIP, text: str, conditioning: list | None) -> tuple[str, ...]:
    """Warnings about erased names in the negative prompt, if this CLIP encodes it."""
    if conditioning is None:
        return negative_remarks(result, text)
    if not text.strip():
        return ("Write the text of the negative prompt beside its conditioning: without it nothing can be compared.",)
    return negative_remarks(result, text) if encoded_by(clip, text, conditioning) else ()
