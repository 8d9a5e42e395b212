"""ErasePro Solve: finds the updates, tries them on a clone, and says what they do."""

from __future__ import annotations

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy.utils import ProgressBar
from comfy_api.latest import io

from ..erasepro_core import CHOICES, KINDS, Options, Report, Request, require_erased, solve_request, verify
from .host import HostPath, fingerprints, with_erasure
from .panel import report_panel
from .sockets import CATEGORY, Concepts, Erasure

_DEFAULT = Options().as_dict()


class Solve(io.ComfyNode):
    """MODEL, CLIP and CONCEPTS in, an erasure out; nothing is applied to what comes in."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ErasePro_Solve",
            display_name="ErasePro Solve",
            category=CATEGORY,
            description="Computes the erasure of the concepts from this model in closed form and measures what it "
            "does. The model itself is not changed: connect Apply Erasure.",
            inputs=[
                io.Model.Input("model", tooltip="The diffusion model, with the LoRAs it will be used with."),
                io.Clip.Input("clip", tooltip="Its text encoder, with the same LoRAs and clip skip."),
                Concepts.Input("concepts", tooltip="From Define Concepts."),
                *_option_inputs(),
            ],
            outputs=[Erasure.Output("erasure", display_name="erasure")],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        clip: CLIP,
        concepts: Request,
        where: str,
        schedule: str,
        preserve: str,
        preserve_strength: float,
        templates: int,
        tolerance: float,
        method: str,
    ) -> io.NodeOutput:
        options = Options.named(
            where=where,
            schedule=schedule,
            preserve=preserve,
            preserve_strength=preserve_strength,
            templates=templates,
            tolerance=tolerance,
            method=method,
        )
        report = solve_and_check(model, clip, concepts, options)
        return io.NodeOutput(report, ui=report_panel(report))


def solve_and_check(model: ModelPatcher, clip: CLIP, request: Request, options: Options) -> Report:
    """Solves on a live model and measures the result on clones of it; the clones are dropped."""
    original = HostPath(model, clip)
    bar = ProgressBar(1)

    def tick(done: int, total: int) -> None:
        throw_exception_if_processing_interrupted()
        bar.update_absolute(done, total)

    solution = solve_request(request, options, original, tick)
    throw_exception_if_processing_interrupted()
    edited = HostPath(*with_erasure(model, clip, solution.updates, 1.0))
    report = verify(solution, original, edited, fingerprints(model, clip, solution.updates))
    require_erased(report)
    return report


def _option_inputs() -> list[io.Input]:
    """The widgets of `Options`, in an order that never changes: workflows store their values by position."""
    return [*_choice_inputs(), *_number_inputs(), _method_input()]


def _choice_inputs() -> list[io.Input]:
    return [
        io.Combo.Input(
            "where",
            options=list(CHOICES["where"]),
            default=_DEFAULT["where"],
            tooltip="Which weights may change. Both erase best. The text encoder alone leaves the diffusion "
            "model as it is, so prompts encoded by the original CLIP, such as negatives, keep their meaning. "
            "Cross-attention alone is what older methods change; it leaks more in sentences.",
        ),
        io.Combo.Input(
            "schedule",
            options=list(CHOICES["schedule"]),
            default=_DEFAULT["schedule"],
            tooltip="Progressive: each layer sees what shallower ones became, and the best start depth is "
            "chosen by trial. Joint and deep only are for comparison: joint damages the model, deep only "
            "leaks more.",
        ),
        io.Combo.Input(
            "preserve",
            options=list(CHOICES["preserve"]),
            default=_DEFAULT["preserve"],
            tooltip="Exact: what you preserve cannot move, as far as it does not contradict the erasure. "
            "Weighted: it moves as little as possible, which leaves the erasure more room. Off: your "
            "preserves are ignored.",
        ),
    ]


def _number_inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            "preserve_strength",
            default=_DEFAULT["preserve_strength"],
            min=0.0,
            max=100.0,
            step=0.1,
            tooltip="How much preserved prompts count against everyday prompts, which count 1. Higher: less "
            "drift on them, a little more on others.",
        ),
        io.Int.Input(
            "templates",
            default=_DEFAULT["templates"],
            min=1,
            max=max(len(kind.templates) for kind in KINDS),
            tooltip="In how many sentences each name is erased. More: less leak in new sentences, a slower "
            "solve and a larger file.",
        ),
        io.Float.Input(
            "tolerance",
            default=_DEFAULT["tolerance"],
            min=0.01,
            max=10.0,
            step=0.01,
            tooltip="How far everyday prompts may move for what is corrected on the concept: finer and finer "
            "corrections cost more and more. Higher: less leak, more drift, a larger file.",
        ),
    ]


def _method_input() -> io.Input:
    return io.Combo.Input(
        "method",
        options=list(CHOICES["method"]),
        default=_DEFAULT["method"],
        tooltip="ErasePro, or UCE for comparison: as published, or with templates and the end token. UCE "
        "changes cross-attention only, in one step, whatever is chosen above.",
    )
