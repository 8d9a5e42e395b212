"""Erasures on the mini model, in this process: what they promise, measured in the live model that carries them."""

import pytest
import torch

from erasepro_core import ConceptError, Options, parse_request, solve_request, verify
from erasepro_core.encoded import encode_prompts
from erasepro_core.progress import Phase, Progress
from tests import pack
from tests.host.lora import with_random_lora
from tests.mini.request import mini_request

REQUEST = mini_request("circle | disc -> square", "object", "triangle\nstar")
QUICK = Options(templates=4, own_tokens=False)
"""The layers change, though the tables of tokens would do."""


@pytest.fixture(scope="module")
def path(host, mini):
    return host.HostPath(mini[0], mini[1])


@pytest.fixture(scope="module")
def report(host, mini, path):
    """The default erasure and what was measured of it."""
    with torch.inference_mode():
        solution = solve_request(REQUEST, Options(own_tokens=False), path)
        return verify(solution, path, host.HostPath(*host.with_erasure(mini[0], mini[1], solution.updates, 1.0)), {})


def weights(mini) -> dict[str, torch.Tensor]:
    model, clip, _ = mini
    both = {f"clip.{k}": v for k, v in clip.cond_stage_model.state_dict().items()}
    return both | {f"model.{k}": v for k, v in model.model.state_dict().items()}


def hooks(mini) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in mini[1].cond_stage_model.modules())


def test_every_layer_answers_targets_as_anchors_when_encoded_again(report):
    assert len(report.residuals) > 20
    assert max(r.kept for r in report.residuals.values()) < 1e-4
    assert max(r.all for r in report.residuals.values()) < 0.22  # what truncation leaves, said openly
    assert all(record.gap > 0.1 for record in report.solution.layers)  # there was something to erase


def test_the_concept_is_gone_from_sentences_it_was_not_solved_on(report):
    assert report.leak_training[0] < 0.1
    assert report.leak_unseen[0] < 0.1
    assert report.not_erased() == []


def test_deeper_layers_have_less_to_do(report):
    shares = {record.name: record.required / record.gap for record in report.solution.layers}
    readers = [share for name, share in shares.items() if "self_attn" in name]
    writers = [share for name, share in shares.items() if name.endswith("fc2")]
    assert readers == pytest.approx([1.0, 1.0, 1.0])  # nothing was changed before them
    assert 0.01 < max(writers) < 0.1
    assert writers[0] == max(writers)
    assert max(share for name, share in shares.items() if "attn2" in name) < 0.12


def test_what_should_stay_stays(report):
    assert report.drift["anchors"] < 0.05
    assert report.drift["preserves"] < 0.05
    assert report.drift["neutral"] < 0.05


def test_solving_and_applying_change_no_weight_and_leave_no_hook(host, mini, path):
    model, clip, _ = mini
    # Encoding first: the host patches in place, and the erased clone of another test may still be loaded.
    said = path.encode(path.tokenize(["a red circle"]))["context"]
    before = {name: weight.clone() for name, weight in weights(mini).items()}
    solution = solve_request(REQUEST, QUICK, path)
    edited = host.HostPath(*host.with_erasure(model, clip, solution.updates, 1.0))
    assert not torch.equal(edited.encode(path.tokenize(["a red circle"]))["context"], said)
    assert torch.equal(path.encode(path.tokenize(["a red circle"]))["context"], said)
    assert all(torch.equal(weight, before[name]) for name, weight in weights(mini).items())
    assert hooks(mini) == 0
    assert not model.patches
    assert not clip.patcher.patches


def test_a_solve_that_is_stopped_leaves_nothing_behind(mini, path):
    def stop(progress: Progress) -> None:
        if progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solve_request(REQUEST, QUICK, path, stop)
    assert hooks(mini) == 0
    assert (
        solve_request(REQUEST, QUICK, path).updates.checksum() == solve_request(REQUEST, QUICK, path).updates.checksum()
    )


def test_progress_counts_every_layer_once(path):
    seen = []
    solve_request(REQUEST, QUICK, path, seen.append)
    total = seen[0].total
    assert [each.done for each in seen[:-1]] == list(range(1, len(seen)))
    assert seen[-1].done == total
    assert 0.5 * total < len(seen)  # start depths that need not be tried are not
    assert {each.total for each in seen} == {total}
    assert [each.phase for each in seen] == sorted((each.phase for each in seen), key=list(Phase).index)
    solved = {each.layer for each in seen if each.phase is Phase.SOLVING and each.layer}
    assert solved >= set(solve_request(REQUEST, QUICK, path).updates.diffusion_model)


def test_what_is_kept_of_few_sentences_holds_on_them_when_encoded_again(host, mini, path, monkeypatch):
    """All sentences may move much more than few; here they always do, so that the solve on few is kept."""
    monkeypatch.setattr(pack.module("erasepro_core.trials"), "WORSE", -1.0)
    solution = solve_request(REQUEST, Options(templates=12, own_tokens=False), path)
    edited = host.HostPath(*host.with_erasure(mini[0], mini[1], solution.updates, 1.0))
    report = verify(solution, path, edited, {})
    assert max(r.kept for r in report.residuals.values()) < 1e-4
    assert all(float(record.kept.norm()) > 0 for record in report.solution.layers)
    assert report.leak_unseen[0] < 0.1


def test_joint_and_deep_only_are_worse(host, mini, path):
    def leak(schedule: str) -> float:
        solution = solve_request(
            REQUEST, Options.named(templates=QUICK.templates, schedule=schedule, own_tokens=False), path
        )
        edited = host.HostPath(*host.with_erasure(mini[0], mini[1], solution.updates, 1.0))
        report = verify(solution, path, edited, {})
        return report.leak_unseen[0] + report.drift["neutral"]

    progressive = leak("progressive")
    assert leak("joint") > 1.2 * progressive
    assert leak("deep only") > progressive


def test_a_strength_between_weakens_the_concept(host, mini, path, report):
    edited = host.HostPath(*host.with_erasure(mini[0], mini[1], report.solution.updates, 0.5))
    half = verify(report.solution, path, edited, {})
    assert report.leak_unseen[0] + 0.2 < half.leak_unseen[0] < 0.95


def test_an_erasure_goes_with_the_users_own_lora(host, mini):
    """A LoRA on both sides before the solve is part of what the solve sees."""
    model, clip = with_random_lora(mini[:2], 0.2)
    path = host.HostPath(model, clip)
    plain = host.HostPath(mini[0], mini[1])
    with_lora, without = (encode_prompts(p, ["a circle"]).features["a circle"]["context"] for p in (path, plain))
    assert not torch.allclose(with_lora, without)
    solution = solve_request(REQUEST, QUICK, path)
    report = verify(solution, path, host.HostPath(*host.with_erasure(model, clip, solution.updates, 1.0)), {})
    assert report.residual_max < 1e-4
    assert report.leak_training[0] < 0.1


def test_clip_skip_is_honoured(host, mini):
    model, clip = mini[0], mini[1].clone()
    clip.clip_layer(-2)
    path = host.HostPath(model, clip)
    assert len(path.encoders[0].blocks) == 4
    solution = solve_request(REQUEST, QUICK, path)
    report = verify(solution, path, host.HostPath(*host.with_erasure(model, clip, solution.updates, 1.0)), {})
    assert not any("layers.4." in name for name in report.residuals)
    assert report.residual_max < 1e-4
    assert report.leak_training[0] < 0.1


@pytest.mark.parametrize(("dtype", "bar"), [(torch.float16, 5e-3), (torch.bfloat16, 5e-2)])
def test_the_residual_is_the_one_after_the_hosts_cast(host, mini, dtype, bar):
    from tests.mini import model as mini_model

    model, clip, _ = mini_model.load()
    model.model.to(dtype)
    clip.cond_stage_model.to(dtype)
    path = host.HostPath(model, clip)
    solution = solve_request(REQUEST, QUICK, path)
    report = verify(solution, path, host.HostPath(*host.with_erasure(model, clip, solution.updates, 1.0)), {})
    assert 1e-5 < report.residual_max < bar
    assert report.leak_training[0] < 0.1


def test_emphasis_in_a_name_is_read_as_words(path):
    plain, weighted = (rows["clip_l"] for rows in path.tokenize(["a circle (disc:1.3)", "a circle"]))
    assert plain.end - plain.start > weighted.end - weighted.start


def shown(parts, prompts: list[str]) -> list[str]:
    """Colour and object of one picture of each prompt."""
    from tests.mini.classifier import classify
    from tests.mini.names import COLOURS, OBJECTS
    from tests.mini.sample import sample

    model, clip, vae = parts
    seen = classify(sample(model, clip, vae, prompts, seed=5, steps=8))
    return [
        f"{COLOURS[colour]} {OBJECTS[thing]}"
        for colour, thing in zip(seen["colour"].tolist(), seen["object"].tolist(), strict=True)
    ]


def test_a_compound_becomes_its_anchor_and_what_shares_its_words_stays(host, mini, path):
    from tests.mini.tasks import everyday

    request = mini_request("red circle -> blue square", "object", everyday="\n".join(everyday()))
    solution = solve_request(request, Options(), path)
    assert solution.start > 0  # in the first block it is two innocent words
    edited = *host.with_erasure(mini[0], mini[1], solution.updates, 1.0), mini[2]
    targets = ["a red circle", "a photo of a red circle", "there is a red circle in the picture"]
    relatives = ["red square", "red triangle", "red star", "green circle", "yellow circle", "blue circle"]
    with torch.inference_mode():
        assert shown(edited, targets) == ["blue square"] * len(targets)
        assert shown(edited, [f"a {phrase}" for phrase in relatives]) == relatives


def test_names_that_only_the_tokenizer_finds_equal_are_refused(host, words):
    """This tokenizer does not read accents."""
    path = host.HostPath(*words[:2])
    with pytest.raises(ConceptError, match="reads 'cafe' and 'caf\u00e9' as the same tokens"):
        solve_request(parse_request("cafe -> caf\u00e9", "object"), QUICK, path)
    with pytest.raises(ConceptError, match=r"reads .* of two concepts as the same tokens"):
        solve_request(parse_request("cafe -> square\ncaf\u00e9 -> star", "object"), QUICK, path)
