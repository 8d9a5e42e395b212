"""Audit Erasure: measures what the model that reaches the sampler still understands of some concepts."""

from __future__ import annotations

from dataclasses import replace

from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy_api.latest import io

from ..erasepro_core import Audit, Report, Request
from ..erasepro_core.audit import THRESHOLD, audit, audit_against, negative_remarks
from ..erasepro_core.marks import split_lines
from ..erasepro_core.plain import as_json
from ..erasepro_core.plots import audit_picture
from .host import HostPath, encoded_by, picture_or_reason, without_patches
from .panel import audit_panel
from .sockets import ALIASES, CATEGORY, Concepts, Erasure, known, negative_prompt


class AuditErasure(io.ComfyNode):
    """Measures leak in a live model, with its LoRAs and merges; no picture is sampled."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ErasePro_Audit",
            display_name="Audit Erasure",
            category=CATEGORY,
            **known(io.Schema, search_aliases=ALIASES),
            description="Measures how much of each concept is left in the MODEL and CLIP that reach the sampler, in "
            "sentences that the erasure was not solved on. No picture is drawn.",
            inputs=_inputs(),
            outputs=_outputs(),
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls, model: ModelPatcher, clip: CLIP, threshold: float, prompts: str = "", negative: str = "",
        erasure: Report | None = None, concepts: Request | None = None, negative_conditioning: list | None = None,
    ) -> io.NodeOutput:  # fmt: skip
        path = HostPath(model, clip)
        result = _measured(path, erasure, concepts, threshold, split_lines(prompts))
        not_measured = [f"Not measured: {reason}." for reason in path.not_measured()]
        warnings = _negative_warnings(result, clip, negative, negative_conditioning)
        result = replace(result, remarks=(*result.remarks, *warnings, *not_measured))
        picture = picture_or_reason(lambda: audit_picture(result))
        figures = as_json(result.as_dict(), indent=1)
        return io.NodeOutput(result.passed, result.leak, result.markdown(), figures, picture, ui=audit_panel(result))


def _inputs() -> list[io.Input]:
    """The inputs in their order, which saved workflows rely on."""
    return [
        io.Model.Input("model", tooltip="The MODEL that the sampler uses."),
        io.Clip.Input("clip", tooltip="The CLIP that your prompt nodes use."),
        io.Float.Input(
            "threshold",
            default=THRESHOLD,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="A name with more leak than this counts as not erased. Leak 1: the concept is unchanged; 0: it is "
            "gone.",
        ),
        io.String.Input(
            "prompts",
            display_name="your probe prompts",
            multiline=True,
            default="",
            optional=True,
            placeholder="optional: a night scene with {}",
            tooltip="Optional: your own sentences, one a line, measured in addition to the built-in ones. {} stands "
            "for every name; a sentence without {} must contain one of the names.",
        ),
        negative_prompt(
            optional=True,
            placeholder="optional: the negative prompt of this graph",
            tooltip="Optional: your negative prompt. An erased concept in it has the meaning of its anchor, so "
            "guidance moves the picture away from the anchor.",
        ),
        Erasure.Input(
            "erasure",
            optional=True,
            tooltip="From ErasePro Solve or Load Erasure. It contains the reference that the model is compared with.",
        ),
        Concepts.Input(
            "concepts",
            optional=True,
            tooltip="From Define Concepts, for a model without an erasure or for names that the erasure does not "
            "list. The reference is this model without any LoRA or erasure.",
        ),
        io.Conditioning.Input(
            "negative_conditioning",
            optional=True,
            tooltip="Optional: the encoded negative prompt, which shows which CLIP encoded it.",
        ),
    ]


def _outputs() -> list[io.Output]:
    return [
        io.Boolean.Output("erased", display_name="erased", tooltip="Whether no name has more leak than the threshold."),
        io.Float.Output("leak", display_name="leak", tooltip="The largest leak of all names."),
        io.String.Output("markdown", display_name="markdown", tooltip="Every sentence with its leak."),
        io.String.Output("json", display_name="json", tooltip="The same values for other programs."),
        io.Image.Output("picture", display_name="picture", tooltip="Leak as bars. Needs matplotlib."),
    ]


def _measured(
    path: HostPath, erasure: Report | None, concepts: Request | None, threshold: float, probes: list[str]
) -> Audit:
    """The audit against the erasure's checks, or against the same model without its patches.

    Raises:
        ValueError: both or neither of erasure and concepts are given.
    """
    if erasure is not None and concepts is None:
        return audit(erasure.solution.request, erasure.checks, path, threshold, probes)
    if concepts is not None and erasure is None:
        before = HostPath(*without_patches(path.model, path.clip))
        return audit_against(concepts, before, path, threshold, probes)
    raise ValueError(
        f"{'both' if concepts else 'neither'} of erasure and concepts are connected; connect one of the two: "
        "an erasure to measure its own concepts, or concepts to measure them in any model."
    )


def _negative_warnings(result: Audit, clip: CLIP, text: str, conditioning: list | None) -> tuple[str, ...]:
    """Warnings about erased names in the negative prompt, if this CLIP encodes it."""
    if conditioning is None:
        return negative_remarks(result, text)
    if not text.strip():
        return ("Write the text of the negative prompt too; its conditioning does not say which names it contains.",)
    warnings = negative_remarks(result, text)
    try:
        return warnings if encoded_by(clip, text, conditioning) else ()
    except ValueError as shapes:
        return (
            *warnings,
            f"Nothing says which CLIP encoded the negative prompt: {shapes}. Connect it as it is encoded.",
        )
