"""Define Concepts: a request, from the names to erase and to preserve as text."""

from __future__ import annotations

from comfy_api.latest import io

from ..erasepro_core import KINDS, ConceptError, Request, parse_request
from .sockets import ALIASES, CATEGORY, Concepts, known


class DefineConcepts(io.ComfyNode):
    """Parses the text and returns a checked request."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ErasePro_DefineConcepts",
            display_name="Define Concepts",
            category=CATEGORY,
            **known(io.Schema, search_aliases=ALIASES),
            description="Defines which concepts to erase, the anchors that replace them, and what to preserve.",
            inputs=_inputs(),
            outputs=[Concepts.Output("concepts", display_name="concepts")],
        )

    @classmethod
    def validate_inputs(cls, text: str | None = None, kind: str | None = None) -> bool | str:
        """Refuses a text with errors before anything is loaded; text that comes by wire is checked when the node runs.

        The host shows the error once for each parameter of this method, so `execute` checks the other fields.
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
        cls,
        text: str,
        kind: str,
        preserve: str = "",
        everyday: str = "",
        more_concepts: Request | None = None,
        sentences: str = "",
        only_own: bool = False,
    ) -> io.NodeOutput:
        request = parse_request(text, kind, preserve, everyday, sentences, only_own)
        return io.NodeOutput(request if more_concepts is None else more_concepts.joined(request))


def _inputs() -> list[io.Input]:
    """The inputs in their order, which saved workflows rely on."""
    anchors = "; ".join(f"{kind.name}: {kind.default_anchor}" for kind in KINDS)
    return [
        io.String.Input(
            "text",
            display_name="concepts to erase",
            multiline=True,
            placeholder="target | alias -> anchor",
            default="Van Gogh | Vincent van Gogh -> an artist",
            tooltip="One concept a line: target | alias -> anchor. List every word that people use for the concept: "
            "an alias that is not listed is not erased. Without an arrow, the default anchor of the kind is used "
            f"({anchors}). Commas are part of the concept; lines that start with # are ignored.",
        ),
        io.Combo.Input(
            "kind",
            options=[kind.name for kind in KINDS],
            default="style",
            tooltip="The kind of the concepts in this node. It decides in which sentences they are erased. For "
            "several kinds, connect several of these nodes.",
        ),
        io.String.Input(
            "preserve",
            multiline=True,
            default="",
            placeholder="names to preserve, one a line",
            tooltip="Names that must keep their meaning, one a line. List names that are similar to the target, such "
            "as other artists or similar objects.",
        ),
        io.String.Input(
            "everyday",
            display_name="everyday prompts",
            multiline=True,
            default="",
            optional=True,
            placeholder="optional: your everyday prompts, one a line",
            tooltip="Optional: prompts as you write them for this model, one a line. The erasure changes them as "
            "little as possible, as it does with the built-in list. Useful for models with a special vocabulary.",
        ),
        Concepts.Input(
            "more_concepts",
            optional=True,
            tooltip="Concepts of another Define Concepts node; all of them are erased at once.",
        ),
        *_sentence_inputs(),
    ]


def _sentence_inputs() -> list[io.Input]:
    """Inputs that came later: optional, so that workflows of before run as they are."""
    return [
        io.String.Input(
            "sentences",
            display_name="your sentences",
            multiline=True,
            default="",
            optional=True,
            placeholder="optional: a portrait of {} in a garden",
            tooltip="Optional: sentences as you write prompts, one a line, with {} where the name stands. The concepts "
            "of this node are erased in them as well. Worth it if your prompts have a form of their own.",
        ),
        io.Boolean.Input(
            "only_own",
            display_name="only your sentences",
            default=False,
            optional=True,
            tooltip="Leaves the built-in sentences out. Every fifth of yours is then not solved on, and leak is "
            "measured on it. For models that do not know everyday words.",
            **known(io.Boolean.Input, advanced=True),
        ),
    ]
