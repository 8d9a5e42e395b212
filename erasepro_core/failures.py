"""Why a concept is still there after a solve, and what to do about it."""

from __future__ import annotations

import math

from .compound import left_out
from .methods import Preserve
from .report import Report

ROUNDED = 0.1
"""A residual above this on what a layer was to hold exactly comes from the precision of the weights."""


def why_not_erased(report: Report) -> str:
    """Each concept that is still there, with its leak, its reason and what to do; empty if there is none."""
    return " ".join(
        f"not erased: {report.solution.request.concepts[index]} (leak {leak:.2f}, expected at most "
        f"{report.most_left(index)}). {_reason(report, index, leak)}"
        for index, leak in report.still_there()
    )


def _reason(report: Report, index: int, leak: float) -> str:
    concept = report.solution.request.concepts[index]
    if not math.isfinite(leak):
        return (
            "The model gives outputs that are no numbers. Look for a damaged file or LoRA, or load the model in "
            "another precision."
        )
    if report.meant_the_same(index):
        return (
            f"To this model {concept.names[0]!r} and {concept.anchor!r} meant the same before (they differ by "
            f"{report.contrast(index):.2f} of their size). It was erased from this model already, or the model does "
            "not know the word. Connect MODEL and CLIP from before Apply Erasure, or name another anchor."
        )
    if words := left_out(concept):
        return (
            f"Its anchor only leaves out {words!r}. With nothing in its place, pictures still show what is "
            "left of it. Say what shall be there instead, as in 'red cup -> blue cup' or 'bare tree -> tree with "
            "leaves'."
        )
    if report.residual_max > ROUNDED:
        return (
            f"The precision of the weights rounds the correction away (residual {report.residual_max:.2f}). Load the "
            "model in fp16 or bf16."
        )
    if report.solution.request.preserves and report.solution.options.preserve is Preserve.EXACT:
        return (
            "What is preserved leaves no room for it. Preserve less, set preserve to weighted, or choose an anchor "
            "that is closer to the target."
        )
    return (
        "Correcting it changes everyday prompts more than the tolerance allows. Raise the tolerance, or choose an "
        "anchor that is closer to the target."
    )
