"""A report and an audit as pictures. Only these need matplotlib, which is imported when one is drawn."""

from __future__ import annotations

from math import nan
from typing import Any

import torch
from torch import Tensor

from .audit import Audit
from .lettering import drawable, fonts_for
from .report import Report

WIDTH, DPI = 11.0, 100
COLOURS = "#1f77b4", "#d62728", "#7f7f7f"


class PlotError(RuntimeError):
    """Matplotlib is missing."""


def report_picture(report: Report) -> Tensor:
    """Residual, update size, rank and condition by layer; leak and drift beside them: `[1, height, width, 3]`, 0 to 1.

    Raises:
        PlotError: matplotlib is missing.
    """
    figure = _figure(7.5)
    panels = figure.subplots(2, 3)
    layers = report.solution.layers
    places = range(len(layers))
    gap = [record.gap for record in layers]
    _lines(
        panels[0, 0],
        "difference of target and anchor by layer",
        {
            "before": gap,
            "left by shallower layers": [record.required for record in layers],
            "after": [g * report.residuals[r.name].all for g, r in zip(gap, layers, strict=True)],
        },
    )
    _lines(
        panels[0, 1],
        "residual by layer, share of the gap",
        {
            "all aligned tokens": [report.residuals[record.name].all for record in layers],
            "directions held": [report.residuals[record.name].kept for record in layers],
        },
    )
    _lines(panels[0, 2], "size of the update by layer", {"size": [record.size for record in layers]})
    concepts = [str(concept) for concept in report.solution.request.concepts]
    _bars(
        panels[1, 0],
        "leak: 1 nothing erased, 0 gone",
        concepts,
        {
            "sentences solved on": report.leak_training,
            "unseen sentences": report.leak_unseen,
            "forms not listed": [nan if leak is None else leak for leak in report.leak_unlisted],
        },
    )
    _bars(panels[1, 1], "drift: how far others moved", list(report.drift), {"drift": list(report.drift.values())})
    axes = panels[1, 2]
    axes.step(places, [record.rank for record in layers], where="mid", color=COLOURS[0])
    axes.set_title("rank (blue) and condition (red) by layer", fontsize=9)
    axes.set_xlabel("layer, shallow to deep", fontsize=8)
    other = axes.twinx()
    other.plot(places, [record.condition for record in layers], ".", color=COLOURS[1])
    return _pixels(figure)


def audit_picture(audit: Audit) -> Tensor:
    """Leak by name and by what is varied, with the threshold: `[1, height, width, 3]`, 0 to 1.

    Raises:
        PlotError: matplotlib is missing.
    """
    names, groups = audit.leaks(), audit.by_group()
    figure = _figure(1.5 + 0.35 * max(len(names), len(groups)))
    panels = figure.subplots(1, 2)
    _bars(panels[0], "leak by name", [name for _, name in names], {"": list(names.values())})
    _bars(panels[1], "leak by what is varied", list(groups), {"": list(groups.values())})
    for axes in panels:
        axes.axvline(audit.threshold, color=COLOURS[1], linestyle="--")
    return _pixels(figure)


def _figure(height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotError(
            "Pictures need matplotlib, which the Python of this ComfyUI does not have. Install it there with "
            "`pip install matplotlib`. Everything else of this node works without it."
        ) from error
    return Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")


def _lines(axes: Any, title: str, series: dict[str, list[float]]) -> None:
    for (label, values), colour in zip(series.items(), COLOURS, strict=False):
        axes.plot(range(len(values)), values, ".-", color=colour, label=label, linewidth=1)
    if any(value > 0 for values in series.values() for value in values):  # a table's rows may leave no residual at all
        axes.set_yscale("log")
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("layer, shallow to deep", fontsize=8)
    if len(series) > 1:
        axes.legend(fontsize=7)


def _bars(axes: Any, title: str, labels: list[str], series: dict[str, Any]) -> None:
    high = 0.8 / len(series)
    for index, ((label, values), colour) in enumerate(zip(series.items(), COLOURS, strict=False)):
        places = [row + index * high for row in range(len(labels))]
        axes.barh(places, values, height=high, color=colour, label=label)
    short = [label[:28] for label in labels]
    fonts = fonts_for("".join(short))
    rows = [row + (0.8 - high) / 2 for row in range(len(labels))]
    axes.set_yticks(rows, drawable(short, fonts), fontsize=8, fontfamily=fonts)
    axes.invert_yaxis()
    axes.set_title(title, fontsize=9)
    if len(series) > 1:
        axes.legend(fontsize=7)


def _pixels(figure: Any) -> Tensor:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = torch.frombuffer(bytearray(canvas.buffer_rgba()), dtype=torch.uint8)
    width, height = canvas.get_width_height()
    return pixels.reshape(1, height, width, 4)[..., :3].float() / 255
