"""Compare Erasure: the same prompts and seeds before and after an erasure, as one labelled picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP, VAE
from comfy_api.latest import io, ui
from torch import Tensor

from ..erasepro_core import Report
from ..erasepro_core.audit import THRESHOLD, audit_prompt
from ..erasepro_core.grid import Band, grid_picture
from ..erasepro_core.progress import Phase, Steps
from .host import SAMPLERS, SCHEDULERS, HostPath, Meter, Sampling, conditioning, draw
from .sockets import ALIASES, CATEGORY, Erasure, known, negative_prompt


class CompareErasure(io.ComfyNode):
    """Samples every prompt with every seed in both models; measures what each prompt still means if it can."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ErasePro_Compare",
            display_name="Compare Erasure",
            category=CATEGORY,
            **known(io.Schema, search_aliases=ALIASES),
            description="Draws every prompt with the same seeds before and after the erasure, as one labelled picture. "
            "With an erasure, it writes below each prompt how much of each erased name is left in it.",
            inputs=[*_sources(), *_sampling()],
            outputs=[io.Image.Output("grid", display_name="grid", tooltip="One picture with all of them.")],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls, model: ModelPatcher, clip: CLIP, erased_model: ModelPatcher, erased_clip: CLIP, vae: VAE,
        latent_image: dict[str, Any], prompts: str, negative: str, pictures: int, first_seed: int, steps: int,
        cfg: float, sampler_name: str, scheduler: str, denoise: float, erasure: Report | None = None,
    ) -> io.NodeOutput:  # fmt: skip
        lines, seeds = _prompts(prompts), range(first_seed, first_seed + pictures)
        how = Sampling(steps, cfg, sampler_name, scheduler, denoise)
        count = Steps(2 * len(lines) * pictures * steps, Meter())
        refused = conditioning(clip, negative)
        verdicts = [_verdict(erasure, erased_model, erased_clip, line) for line in lines]

        def rows(model: ModelPatcher, clip: CLIP) -> list[list[Tensor]]:
            asked = [(conditioning(clip, line), refused) for line in lines]
            step = lambda: count(Phase.DRAWING)  # noqa: E731
            return [[draw(model, vae, each, latent_image, seed, how, step) for seed in seeds] for each in asked]

        before, after = rows(model, clip), rows(erased_model, erased_clip)
        count.end(Phase.DRAWING)
        parts = zip(lines, before, after, verdicts, strict=True)
        picture = grid_picture([Band(line, b, a, *verdict) for line, b, a, verdict in parts], seeds)
        return io.NodeOutput(picture, ui=ui.PreviewImage(picture, cls=cls))


def _prompts(text: str) -> list[str]:
    """One prompt a line.

    Raises:
        ValueError: there is none, or one has a gap in place of a name.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError("there is no prompt to compare. Write one prompt a line, such as one with an erased name.")
    if gaps := [line for line in lines if "{}" in line]:
        raise ValueError(f"the prompt {gaps[0]!r} has {{}} in it, which nothing fills here. Write the name itself.")
    return lines


def _verdict(erasure: Report | None, model: ModelPatcher, clip: CLIP, prompt: str) -> tuple[str, bool]:
    """What the audit says of a prompt, and whether it is good news."""
    if erasure is None:
        return "", True
    found = audit_prompt(erasure.solution.request, erasure.checks, HostPath(model, clip), prompt)
    if not found:
        return "audit: names nothing that was erased", True
    left = "; ".join(f"{each.name} leak {each.leak:.2f}" for each in found)
    erased = all(each.leak <= THRESHOLD for each in found)
    return f"audit: {left}, {'erased' if erased else 'NOT ERASED'}", erased


def _sources() -> Sequence[io.Input]:
    """The two models, and what both have in common."""
    return [
        io.Model.Input("model", tooltip="The MODEL before Apply Erasure."),
        io.Clip.Input("clip", tooltip="The CLIP before Apply Erasure. It also encodes the negative prompt of both."),
        io.Model.Input("erased_model", tooltip="The MODEL behind Apply Erasure."),
        io.Clip.Input("erased_clip", tooltip="The CLIP behind Apply Erasure."),
        io.Vae.Input("vae", tooltip="Decodes the pictures."),
        io.Latent.Input(
            "latent_image",
            tooltip="Where sampling starts, as for KSampler: an empty latent of your model, or an encoded picture with "
            "a lower denoise. Only its first entry is used.",
        ),
        io.String.Input(
            "prompts",
            multiline=True,
            default="a painting by Van Gogh\na painting by Monet",
            tooltip="One prompt a line. Take some with erased names, and some with names that shall stay.",
        ),
        negative_prompt(tooltip="The negative prompt of all pictures. The CLIP before the erasure encodes it."),
        io.Int.Input("pictures", default=2, min=1, max=16, tooltip="How many seeds each prompt is drawn with."),
        io.Int.Input(
            "first_seed",
            default=42,
            min=0,
            max=0xFFFFFFFFFFFF,
            tooltip="The seed of the first column; the next ones have the next numbers.",
        ),
    ]


def _sampling() -> Sequence[io.Input]:
    """The widgets of KSampler, and the erasure."""
    return [
        io.Int.Input("steps", default=20, min=1, max=1000, tooltip="Sampling steps of each picture."),
        io.Float.Input(
            "cfg",
            default=7.0,
            min=0.0,
            max=100.0,
            step=0.1,
            tooltip="Guidance, as for KSampler: 1 for distilled models.",
        ),
        io.Combo.Input(
            "sampler_name",
            options=SAMPLERS,
            default="euler",
            tooltip="As for KSampler.",
            **known(io.Combo.Input, advanced=True),
        ),
        io.Combo.Input(
            "scheduler",
            options=SCHEDULERS,
            default="normal",
            tooltip="As for KSampler.",
            **known(io.Combo.Input, advanced=True),
        ),
        io.Float.Input(
            "denoise",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="1 for an empty latent. Lower for an encoded picture: then the picture itself brings a part of the "
            "concept back, which no erasure of words can prevent.",
            **known(io.Float.Input, advanced=True),
        ),
        Erasure.Input(
            "erasure",
            optional=True,
            tooltip="From ErasePro Solve or Load Erasure. With it, the leak of each name is written below each prompt.",
        ),
    ]
