# pyright: reportCallIssue=false
"""The causal encoder is the published one, in the host's own classes, and an erasure behind it does what it says."""

from __future__ import annotations

import json

import torch
from transformers import LlamaConfig, LlamaModel

from erasepro_core import FAMILIES, Options, parse_request, prompts, schedule, solve_request
from tests import pack
from tests.mini.erased import Subject
from tests.words.erased import Evaluation
from tests.words.tasks import TASKS

from . import model

PROMPTS = ("a cat on a chair", "a harbour at night by Vincent van Gogh, 1889, oil on canvas", "")


def test_the_host_gives_the_features_that_transformers_gives(causal):
    """The reference is another program's class with the same weights, read at the same block."""
    _, clip = causal
    config = LlamaConfig(**json.loads((pack.encoder_folder(model.NAME) / "config.json").read_text()))
    with torch.device("meta"):
        reference = LlamaModel(config).eval()
    weights = {key.removeprefix("model."): weight for key, weight in model.encoder_weights().items()}
    reference.load_state_dict(weights, assign=True)
    reference.rotary_emb = type(reference.rotary_emb)(config)  # a buffer that is no weight
    for prompt in PROMPTS:
        tokens = clip.tokenize(prompt)
        (row,) = tokens[model.NAME]
        with torch.inference_mode():
            states = reference(torch.tensor([[token for token, _ in row]]), output_hidden_states=True).hidden_states
            torch.testing.assert_close(clip.encode_from_tokens(tokens), states[-2], rtol=1e-4, atol=1e-3)


def test_it_knows_the_capital_of_france(causal):
    """Rows of queries and keys in a wrong order, or another tokenizer, would still give features, but no sense."""
    _, clip = causal
    tokenizer = getattr(clip.tokenizer, model.NAME).tokenizer
    with torch.inference_mode():
        ids = torch.tensor([tokenizer("The capital of France is")["input_ids"]])
        last = getattr(clip.cond_stage_model, model.NAME).transformer(ids)[0][0, -1]
        likely = (model.encoder_weights()["model.embed_tokens.weight"] @ last).argmax()
    assert tokenizer.decode([int(likely)]) == " Paris"


def test_words_stand_in_the_middle_of_a_chat(causal):
    path = pack.module("nodes.host").HostPath(*causal)
    (row,) = (rows[model.NAME] for rows in path.tokenize(["Vincent van Gogh, 1889"]))
    decode = getattr(causal[1].tokenizer, model.NAME).tokenizer.decode
    assert decode(row.ids) == model.TEMPLATE.format("Vincent van Gogh, 1889")
    assert decode(row.ids[row.start : row.end]) == "Vincent van Gogh, 1889"
    assert row.end + row.tail == len(row.ids)
    assert [decode([token]) for token in row.ids[row.end - 4 : row.end]] == list("1889")


def test_the_core_knows_the_family_only_when_told(causal):
    assert not [family for family in FAMILIES if family.name == "causal"]
    assert pack.module("nodes.host").HostPath(*causal).family.name == "causal"


def test_a_name_is_erased_behind_a_causal_encoder(causal, monkeypatch):
    """Few blocks, few prompts and one start: what is tested here shows with them."""
    monkeypatch.setattr(prompts, "FIT_PROMPTS", prompts.FIT_PROMPTS[:40])
    monkeypatch.setattr(schedule, "START_DEPTHS", 1)
    host, (task,) = pack.module("nodes.host"), [task for task in TASKS if task.name == "explicit content"]
    short = Subject(*model.load(blocks=3), None)
    (edit,) = task.edits
    with torch.inference_mode():
        original = host.HostPath(short.model, short.clip)
        solution = solve_request(parse_request(edit.line, edit.kind), Options(templates=2), original)
        edited = Subject(*host.with_erasure(short.model, short.clip, solution.updates, 1.0), None)
        found = Evaluation(task, short, pack.PACK, count=2, steps=1, pictures=False)(edited)
    assert found["leak"]["captions"] < 0.5  # .33 with three sentences
    assert found["leak"]["described"] > 0.8  # as many other words as nobody listed: there was something to erase
    assert 0 < found["drift"]["captions"] < 0.2
