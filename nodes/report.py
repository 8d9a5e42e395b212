"""Erasure Report: the measures of an erasure as a picture, as a table and as JSON."""

from __future__ import annotations

from comfy_api.latest import io

from ..erasepro_core import Report
from ..erasepro_core.plain import as_json
from ..erasepro_core.plots import report_picture
from .host import picture_or_reason
from .panel import report_panel
from .sockets import ALIASES, CATEGORY, Erasure, known


class ErasureReport(io.ComfyNode):
    """Shows the measures that were taken when the erasure was solved; measures nothing again."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ErasePro_Report",
            display_name="Erasure Report",
            category=CATEGORY,
            **known(io.Schema, search_aliases=ALIASES),
            description="Shows residual, size of the update, rank and condition by layer, and leak and drift, as "
            "measured when the erasure was solved. To measure a model as it is now, use Audit Erasure.",
            inputs=[Erasure.Input("erasure", tooltip="From ErasePro Solve or Load Erasure.")],
            outputs=[
                io.Image.Output("picture", display_name="picture", tooltip="Six plots. Needs matplotlib."),
                io.String.Output("markdown", display_name="markdown", tooltip="The same values as a Markdown table."),
                io.String.Output("json", display_name="json", tooltip="Every value, for other programs."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, erasure: Report) -> io.NodeOutput:
        picture = picture_or_reason(lambda: report_picture(erasure))
        figures = as_json(erasure.as_dict(), indent=1)
        return io.NodeOutput(picture, erasure.markdown(), figures, ui=report_panel(erasure))
