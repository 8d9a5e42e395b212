"""Define Concepts: what to erase and what to preserve, as text."""

from __future__ import annotations

from comfy_api.latest import io

from ..erasepro_core import KINDS, ConceptError, Request, parse_request
from .sockets import CATEGORY, Concepts


class DefineConcepts(io.ComfyNode):
    """Parses the text and returns a checked request."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        anchors = "; ".join(f"{kind.name}: {kind.default_anchor}" for kind in KINDS)
        return io.Schema(
            node_id="ErasePro_DefineConcepts",
            display_name="Define Concepts",
            category=CATEGORY,
            description="Says which concepts to erase, what stands in for them, and what must stay.",
            inputs=[
                io.String.Input(
                    "text",
                    display_name="concepts to erase",
                    multiline=True,
                    placeholder="target | alias -> anchor",
                    default="Van Gogh | Vincent van Gogh -> an artist",
                    tooltip="One concept a line: target | alias -> anchor. List every word the concept goes by: an "
                    "alias that is not listed is not erased. Without an arrow the kind's own anchor is taken "
                    f"({anchors}). Commas belong to the concept; lines that start with # are ignored.",
                ),
                io.Combo.Input(
                    "kind",
                    options=[kind.name for kind in KINDS],
                    default="style",
                    tooltip="What the concepts of this node are: decides in which sentences they are erased. For "
                    "several kinds connect several of these nodes.",
                ),
                io.String.Input(
                    "preserve",
                    multiline=True,
                    default="",
                    placeholder="names to preserve, one a line",
                    tooltip="Names that must keep their meaning, one a line. Near relatives of the target are worth "
                    "listing, such as other artists or similar objects.",
                ),
                io.String.Input(
                    "everyday",
                    display_name="everyday prompts",
                    multiline=True,
                    default="",
                    placeholder="optional: your everyday prompts, one a line",
                    tooltip="Optional: prompts as you use this model, one a line. The erasure is made small on them, "
                    "beside the pack's own list. Worth it for models with a vocabulary of their own.",
                ),
                Concepts.Input(
                    "more_concepts", optional=True, tooltip="Concepts of another node, to erase all of them at once."
                ),
            ],
            outputs=[Concepts.Output("concepts", display_name="concepts")],
        )

    @classmethod
    def validate_inputs(cls, text: str | None = None, kind: str | None = None) -> bool | str:
        """Refuses a text with errors before anything is loaded; text that comes by wire is checked when the node runs.

        The host shows the error once for each parameter of this method, so `execute` checks the preserves.
        """
        if text is None or kind is None:
            return True
        try:
            parse_request(text, kind)
        except ConceptError as error:
            return str(error)
        return True

    @classmethod
    def execute(
        cls, text: str, kind: str, preserve: str, everyday: str, more_concepts: Request | None = None
    ) -> io.NodeOutput:
        request = parse_request(text, kind, preserve, everyday)
        return io.NodeOutput(request if more_concepts is None else more_concepts.joined(request))
