"""ErasePro Solve: computes an erasure, and measures its effect on clones of the model."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy_api.latest import io

from ..erasepro_core import CHOICES, KINDS, Options, Report, Request, require_erased, solve_request, verify
from ..erasepro_core.progress import Phase
from .host import HostPath, Meter, fingerprints, with_erasure
from .panel import report_panel
from .sockets import ALIASES, CATEGORY, Concepts, Erasure, known

_DEFAULT = Options().as_dict()


class Solve(io.ComfyNode):
    """Computes an erasure of the concepts; the given MODEL and CLIP are not changed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ErasePro_Solve",
            display_name="ErasePro Solve",
            category=CATEGORY,
            **known(io.Schema, search_aliases=ALIASES),
            description="Computes an erasure of the concepts in closed form for this model, and measures its effect. "
            "The model is not changed; connect Apply Erasure to use the erasure.",
            inputs=_inputs(),
            outputs=[Erasure.Output("erasure", display_name="erasure")],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls, model: ModelPatcher, clip: CLIP, concepts: Request, where: str, schedule: str, preserve: str,
        preserve_strength: float, templates: int, tolerance: float, method: str, own_tokens: bool = True,
        forms: bool = True,
    ) -> io.NodeOutput:  # fmt: skip
        options = Options.named(
            where=where,
            schedule=schedule,
            preserve=preserve,
            preserve_strength=preserve_strength,
            templates=templates,
            tolerance=tolerance,
            method=method,
            own_tokens=own_tokens,
            forms=forms,
        )
        report = solve_and_check(model, clip, concepts, options)
        return io.NodeOutput(report, ui=report_panel(report))


def _inputs() -> list[io.Input]:
    """The inputs in their order, which saved workflows rely on."""
    return [
        io.Model.Input("model", tooltip="The diffusion model, with the LoRAs that you will use."),
        io.Clip.Input(
            "clip",
            tooltip="The text encoder of the same checkpoint, with the LoRAs and the clip skip that you will use.",
        ),
        Concepts.Input("concepts", tooltip="From Define Concepts."),
        *_choices(),
        *_numbers(),
        io.Combo.Input(
            "method",
            options=list(CHOICES["method"]),
            default=_DEFAULT["method"],
            tooltip="ErasePro; or UCE for comparison, as published or with templates and the end token. UCE changes "
            "only cross-attention, in one step, whatever is chosen for where and schedule.",
            **known(io.Combo.Input, advanced=True),
        ),
        io.Boolean.Input(
            "own_tokens",
            default=_DEFAULT["own_tokens"],
            optional=True,
            tooltip="On: tokens that only the concept uses get the anchor's meaning where that is better, and often "
            "nothing else has to change. Off: only layers change. This takes longer and moves other prompts a little, "
            "but it can also reach what does not use these tokens, such as a textual inversion.",
            **known(io.Boolean.Input, advanced=True),
        ),
        io.Boolean.Input(
            "forms",
            default=_DEFAULT["forms"],
            optional=True,
            tooltip="On: the plural of a name is erased with it, or the singular of a plural. The report shows the "
            "forms. Off: only the names that you list. The possessive of a person's or an artist's name is measured, "
            "not solved on.",
            **known(io.Boolean.Input, advanced=True),
        ),
    ]


def _choices() -> list[io.Input]:
    """Which weights may change, in which order, and how names are preserved."""
    return [
        io.Combo.Input(
            "where",
            options=list(CHOICES["where"]),
            default=_DEFAULT["where"],
            tooltip="Which weights may change. Both together erase best. With the text encoder alone the diffusion "
            "model is not changed, so prompts that the original CLIP encodes, such as negative prompts, keep their "
            "meaning. Older methods change cross-attention alone; it leaves more leak in sentences.",
        ),
        io.Combo.Input(
            "schedule",
            options=list(CHOICES["schedule"]),
            default=_DEFAULT["schedule"],
            tooltip="Progressive: each layer is solved after the shallower layers, on the features that they give "
            "once edited; the best start depth is chosen by trial. Joint and deep only are for comparison: joint "
            "damages the model, deep only leaves more leak.",
            **known(io.Combo.Input, advanced=True),
        ),
        io.Combo.Input(
            "preserve",
            options=list(CHOICES["preserve"]),
            default=_DEFAULT["preserve"],
            tooltip="Exact: what you preserve does not change, unless this contradicts the erasure. Weighted: it "
            "changes as little as possible, so the erasure is less restricted. Off: your preserves are ignored.",
        ),
    ]


def _numbers() -> list[io.Input]:
    """How much preserves count, how many sentences are solved on, and how much drift is allowed."""
    return [
        io.Float.Input(
            "preserve_strength",
            default=_DEFAULT["preserve_strength"],
            min=0.0,
            max=100.0,
            step=0.1,
            tooltip="The weight of preserved prompts; everyday prompts have weight 1. Higher: less drift on preserved "
            "prompts, a little more on others.",
            **known(io.Float.Input, advanced=True),
        ),
        io.Int.Input(
            "templates",
            default=_DEFAULT["templates"],
            min=1,
            max=max(len(kind.templates) for kind in KINDS),
            tooltip="The number of sentences in which each name is erased. More: less leak in new sentences, a slower "
            "solve and a larger file.",
            **known(io.Int.Input, advanced=True),
        ),
        io.Float.Input(
            "tolerance",
            default=_DEFAULT["tolerance"],
            min=0.01,
            max=10.0,
            step=0.01,
            tooltip="How much everyday prompts may change, as a share of what is corrected on the concept; finer "
            "corrections change them more. Higher: less leak, more drift, a larger file.",
            **known(io.Float.Input, advanced=True),
        ),
    ]


def solve_and_check(model: ModelPatcher, clip: CLIP, request: Request, options: Options) -> Report:
    """Solves on a live model and measures the erasure on clones of it, which are not kept."""
    original, meter = HostPath(model, clip), Meter()
    solution = solve_request(request, options, original, meter)
    meter.now(Phase.MEASURING)
    edited = HostPath(*with_erasure(model, clip, solution.updates, 1.0))
    try:
        report = verify(solution, original, edited, fingerprints(model, clip, solution.updates))
    finally:
        original.load()  # clones share their weights, and the host leaves those of the last one that it ran
    require_erased(report)
    return report
