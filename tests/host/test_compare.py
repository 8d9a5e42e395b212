"""Compare Erasure draws what KSampler draws, labels it, measures each prompt, and can be stopped."""

import threading

import pytest

from tests import pack
from tests.host import graphs
from tests.host.graphs import cell, node

PROMPTS = "a photo of a red circle\na photo of a blue moon"


@pytest.fixture(scope="module")
def compared(info):
    graph = graphs.solved(info, templates=2)
    sampling = {"steps": 6, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    wires = {"model": ["loader", 0], "clip": ["loader", 1], "vae": ["loader", 2], "latent_image": ["latent", 0]}
    wires |= {"erased_model": ["apply", 0], "erased_clip": ["apply", 1], "erasure": ["solve", 0]}
    words = {"prompts": PROMPTS, "negative": "", "pictures": 2, "first_seed": 7}
    return graph | {
        "latent": node("EmptyLatentImage", width=128, height=128, batch_size=1),
        "compare": node("ErasePro_Compare", **wires, **words, **sampling),
    }


@pytest.fixture(scope="module")
def grid(server, compared):
    steps = []
    result = server.queue(compared, lambda progress: steps.append(progress)).checked()
    (file,) = result.images["compare"]
    return server.image(file).convert("RGB"), [step for step in steps if step.node == "compare"]


def test_its_pictures_are_those_of_ksampler(server, compared, grid):
    sheet, _ = grid
    graph = graphs.with_picture(compared, "one", ["loader", 0], ["loader", 1])
    graph = graphs.with_picture(graph, "other", ["apply", 0], ["apply", 1])
    graph["other negative"]["inputs"]["clip"] = ["loader", 1]  # the grid's negative prompt goes through the original
    before, after = graphs.pictures(server, graph, "one", "other")  # seed 7, six steps, cfg 3
    assert graphs.distance(cell(sheet, 0), before) < 0.002
    assert graphs.distance(cell(sheet, 1), after) < 0.002
    assert graphs.distance(before, after) > 0.02


def test_progress_counts_every_step_of_every_picture(grid):
    _, steps = grid
    assert steps[-1].value == steps[-1].maximum == 2 * 2 * 2 * 6  # sides, prompts, seeds, steps
    assert [step.value for step in steps] == sorted(step.value for step in steps)


def test_the_audit_of_a_prompt_says_what_is_left_and_what_names_nothing(mini):
    compare, solve = pack.module("nodes.compare"), pack.module("nodes.solve")
    from erasepro_core import Options
    from tests.mini.request import mini_request

    model, clip, _ = mini
    report = solve.solve_and_check(model, clip, mini_request("circle -> square", "object"), Options(templates=4))
    erased = pack.module("nodes.host").with_erasure(model, clip, report.solution.updates, 1.0)
    said, good = compare._verdict(report, *erased, "a photo of a red circle")
    assert good
    assert said.startswith("audit: circle leak 0.") and said.endswith(", erased")
    said, good = compare._verdict(report, model, clip, "a photo of a red circle")
    assert not good
    assert said.endswith("NOT ERASED")
    assert compare._verdict(report, *erased, "a moon") == ("audit: names nothing that was erased", True)
    assert compare._verdict(None, *erased, "a circle") == ("", True)


def test_a_run_can_be_stopped_between_two_steps(server, compared):
    graph = {**compared, "compare": {**compared["compare"], "inputs": {**compared["compare"]["inputs"], "steps": 500}}}
    seen = []

    def stop(progress):
        if progress.node == "compare" and not seen:
            seen.append(progress)
            threading.Thread(target=server.interrupt).start()

    result = server.queue(graph, stop)
    assert result.interrupted
    assert "compare" not in result.images


@pytest.mark.parametrize(("prompts", "words"), [("\n", "there is no prompt"), ("a {}", "Write the name itself")])
def test_prompts_that_cannot_be_drawn_are_refused_in_words(prompts, words):
    with pytest.raises(ValueError, match=words):
        pack.module("nodes.compare")._prompts(prompts)
