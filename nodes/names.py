"""Find Names: names of a concept that nobody listed, and names near it, from the model's own vocabulary."""

from __future__ import annotations

from dataclasses import replace

from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy_api.latest import io

from ..erasepro_core import Request
from ..erasepro_core.concept import Concept, checked
from ..erasepro_core.concept_text import read_names
from ..erasepro_core.vocabulary import Names, Vocabulary, find_names
from .host import HostPath, Meter, vocabulary_of
from .panel import names_panel
from .sockets import ALIASES, CATEGORY, Concepts, known

MEASURE, ADD = "measure them", "add them as aliases"


class FindNames(io.ComfyNode):
    """Compares the words that the text encoder knows with each concept; the given MODEL and CLIP are not changed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ErasePro_FindNames",
            display_name="Find Names",
            category=CATEGORY,
            **known(io.Schema, search_aliases=[*ALIASES, "synonyms", "aliases"]),
            description="Finds names of a concept that you did not list, such as synonyms, among the words that the "
            "text encoder knows, and names of similar things that shall stay.",
            inputs=[
                io.Model.Input("model", tooltip="The diffusion model, as for ErasePro Solve."),
                io.Clip.Input("clip", tooltip="The text encoder of the same checkpoint, as for ErasePro Solve."),
                Concepts.Input("concepts", tooltip="From Define Concepts."),
                io.Combo.Input(
                    "likely_names",
                    options=[MEASURE, ADD],
                    default=MEASURE,
                    tooltip="What is done with names that probably mean a concept. Measure: ErasePro Solve and Audit "
                    "Erasure say how much of the concept is left in them. Add: they are erased as aliases. Look at the "
                    "names first.",
                ),
                io.String.Input(
                    "candidates",
                    multiline=True,
                    default="",
                    optional=True,
                    placeholder="optional: names to try, one a line",
                    tooltip="Optional: further names to compare, one a line. They may have several words.",
                ),
                io.Int.Input(
                    "seconds",
                    default=60,
                    min=1,
                    max=3600,
                    optional=True,
                    tooltip="How long to read the vocabulary at most. The commonest words come first; the report says "
                    "how many were read. A model that was read is remembered until another one is.",
                    **known(io.Int.Input, advanced=True),
                ),
            ],
            outputs=[Concepts.Output("named", display_name="concepts")],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls, model: ModelPatcher, clip: CLIP, concepts: Request, likely_names: str = MEASURE, candidates: str = "",
        seconds: int = 60,
    ) -> io.NodeOutput:  # fmt: skip
        own, path, meter = read_names("candidates", candidates), HostPath(model, clip), Meter()
        vocabulary = vocabulary_of(path, path.whole_words(), seconds, meter)
        found = find_names(concepts, path, vocabulary, own)
        request = with_names(concepts, found, add=likely_names == ADD)
        return io.NodeOutput(request, ui=names_panel(report(found, vocabulary), found))


def with_names(request: Request, found: tuple[Names, ...], *, add: bool) -> Request:
    """The request with the likely names as aliases, or as names to measure.

    A word that may mean two concepts goes to the first.
    """
    taken: set[str] = set()
    concepts: list[Concept] = []
    for concept, names in zip(request.concepts, found, strict=True):
        likely = tuple(name for name, _ in names.likely if name not in taken)
        taken.update(likely)
        new = {"names": (*concept.names, *likely)} if add else {"found": likely}
        concepts.append(replace(concept, **new))
    return checked(replace(request, concepts=tuple(concepts)))


def report(found: tuple[Names, ...], vocabulary: Vocabulary) -> str:
    """What was found, as lines for people."""
    read, total = len(vocabulary.words), vocabulary.total
    lines = [f"compared with {read} words" + (f" of {total}; more seconds allow more" if read < total else "")]
    if not vocabulary.knows_words():
        lines.append(
            "WARNING: this text encoder knows no words: not even plurals are near their singulars. Its weights may be "
            "random. What is found here means nothing."
        )
    for names in found:
        lines += [names.target, f"  may mean the same: {_listed(names.likely)}", f"  near it: {_listed(names.near)}"]
    return "\n".join(lines)


def _listed(names: tuple[tuple[str, float], ...]) -> str:
    return ", ".join(f"{name} {score:.2f}" for name, score in names) or "nothing"
