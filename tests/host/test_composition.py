"""An erasure in every way in which graphs use a MODEL and a CLIP, in a real ComfyUI; the table in docs/composition.md.

Each way draws four pictures of one seed. Where circles are erased, `a red circle` must be what the model without an
erasure draws for `a red square`; what it draws of another name must be what it always was.
"""

from statistics import fmean
from typing import Any

import pytest
from safetensors.torch import save_file

from tests.host import compositions
from tests.host.client import ApiGraph, Client
from tests.host.compositions import Branch
from tests.host.graphs import distance, node, solved
from tests.host.lora import random_lora_file

LORA = "other.safetensors"
WHERE = {"tables": {}, "layers": {"own_tokens": False}}
"""Where the erasure is: in the tables of tokens, which are exact, or in layers, which are nearly so."""
BARS = {"tables": 0.01, "layers": 0.35}
"""How far from the anchor's picture the erased one may be, as a share of how far the concept's own picture is."""
OTHERS = {"tables": 0.0, "layers": 0.2}
"""How far the picture of another name may move, as a share of the same."""


@pytest.fixture(scope="module")
def other(server: Client, mini) -> str:
    """A LoRA file with a little of everything in it."""
    import torch

    folder = server.output.parent / "models" / "loras"
    folder.mkdir(parents=True, exist_ok=True)
    with torch.inference_mode():
        save_file(random_lora_file(mini[:2], 0.05), folder / LORA)
    return LORA


def drawn(server: Client, graph: ApiGraph, use: Any, branches: dict[str, tuple[str, str]]) -> dict[str, list[bytes]]:
    """All pictures of each branch, by its name; a branch is whose MODEL and CLIP, and a word."""
    for name, (owner, word) in branches.items():
        branch = Branch(name, [owner, 0], [owner, 1], word)
        use(branch)
        graph = graph | branch.graph
    result = server.queue(graph).checked()
    return {name: [server.image(file).convert("RGB").tobytes() for file in result.images[name]] for name in branches}


@pytest.fixture(scope="module")
def graph(info) -> ApiGraph:
    """Both erasures, applied, and the photo that some graphs start from; the host keeps all of it from run to run."""
    found: ApiGraph = {"control": node("MiniControl")}
    for where, options in WHERE.items():
        one = solved(info, **options)
        found |= {"loader": one["loader"], "define0": one["define0"], f"solve {where}": one["solve"]}
        wires = one["apply"]["inputs"] | {"erasure": [f"solve {where}", 0]}
        found[where] = node("ErasePro_Apply", **wires)
    photo = Branch("photo", ["loader", 0], ["loader", 1], "circle")
    photo.picture()
    decoded = photo.graph[photo.name]["inputs"]["images"][0]
    return found | photo.graph | {"photo": photo.graph[decoded]}


@pytest.mark.parametrize("use", compositions.ALL)
def test_an_erased_name_is_drawn_as_its_anchor_however_the_graph_uses_it(server, graph, other, use):
    owners = ("loader", *WHERE)
    branches = {f"{owner} {word}": (owner, word) for owner in owners for word in ("circle", "square", "star")}
    found = drawn(server, graph, compositions.ALL[use], branches)
    whole = apart(found, "loader circle", "loader square")
    assert whole > 1 / 255  # in this use the two names differ at all
    for where in WHERE:
        left, moved = apart(found, f"{where} circle", "loader square"), apart(found, f"{where} star", "loader star")
        print(f"{use} {where}: whole {whole:.4f} left {left / whole:.4f} moved {moved / whole:.4f}")
        assert left <= BARS[where] * whole
        assert moved <= OTHERS[where] * whole


def apart(found: dict[str, list[bytes]], one: str, other: str) -> float:
    """How far the pictures of two branches are apart, 0 to 1, on average."""
    return fmean(distance(*pair) for pair in zip(found[one], found[other], strict=True))
