"""Many names at once: which tokens may change, what is encoded, and that the benchmark measures it."""

from __future__ import annotations

import argparse
from unittest import mock

import pytest
import torch

from benchmarks import many
from erasepro_core import parse_request
from erasepro_core.encoded import encode_prompts
from erasepro_core.table import SwappedPath, Swaps, own_tokens
from erasepro_core.thesaurus import shared_pieces
from tests import pack
from tests.mini.erased import Subject

from .tasks import Task

SUN = parse_request("sun -> moon", "object")
"""The tokenizer has one token for it, which is the first of `sunflower` as well."""


@pytest.fixture(scope="module")
def path(words):
    return pack.module("nodes.host").HostPath(*words[:2])


def test_a_token_that_is_all_of_a_name_changes_though_a_few_other_words_have_it(path):
    prompts = [f"{number} horses" for number in range(100)]
    assert "sun" in own_tokens(SUN, path, [*prompts, "a sunflower"]).words
    assert "sun" not in own_tokens(SUN, path, [*prompts, *(f"{number} sunflowers" for number in range(20))]).words


def test_it_stays_where_a_person_named_such_a_word(path):
    assert "sun" not in own_tokens(SUN, path, ["a horse"] * 100, asked=["a sunflower"]).words


@pytest.mark.parametrize("name", ["nakedness", "Hokusai", "Claude Monet", "undressed", "Mondrian"])
def test_only_words_with_the_letters_of_a_piece_are_tokenized_to_see_who_shares_it(path, monkeypatch, name):
    pieces = {"minilm": path.tokenize([name])[0]["minilm"].words}
    asked, tokenize = [], path.tokenize
    monkeypatch.setattr(path, "tokenize", lambda prompts, *more: asked.append(len(prompts)) or tokenize(prompts, *more))
    shared = shared_pieces(path, pieces)
    few = sum(asked)
    monkeypatch.setattr(path, "words", lambda _: [""])  # letters that every word has
    assert shared_pieces(path, pieces) == shared
    assert few < 0.2 * (sum(asked) - few)


def test_no_word_is_looked_at_where_every_name_is_one_token(path, monkeypatch):
    monkeypatch.setattr("erasepro_core.thesaurus.all_words", lambda: pytest.fail("the thesaurus was read"))
    assert "sun" in own_tokens(SUN, path, ["a horse"] * 100).words


def test_prompts_that_the_tables_make_equal_are_encoded_once(path):
    (row,) = path.tokenize(["sun moon"])
    sun, moon = row["minilm"].ids[1:3]
    swapped = SwappedPath(path, Swaps({"minilm": {sun: moon}}, ()))
    with mock.patch.object(swapped, "encode", wraps=swapped.encode) as encode:
        both = encode_prompts(swapped, ["a sun", "a moon"]).features
    assert [len(call.args[0]) for call in encode.call_args_list] == [1]
    assert torch.equal(*(both[prompt]["context"] for prompt in ("a sun", "a moon")))


def test_a_thousand_things_are_one_token_each_and_no_caption_says_them(path):
    things = [edit.names[0] for edit in many.things(path)][:1000]
    rows = [row["minilm"] for row in path.tokenize(things)]
    assert len(set(things)) == 1000
    assert all(row.end - row.start == 1 for row in rows)
    new = set(things[10:])
    assert not new & many.words_of(many.lesson_captions(many.world.HELD_OUT))
    assert not new & many.words_of(many.world.STRANGERS)


def test_none_of_a_hundred_painters_is_a_stranger_or_drawn(path):
    painters = {edit.names[0] for edit in many.painters(path)[:100]}
    assert len(painters) == 100
    assert not painters & {*many.world.STRANGERS, *many.world.PAINTERS.values()}


@torch.inference_mode()
def test_the_benchmark_measures_names_that_go_together(words, path, tmp_path):
    subject, asked = Subject(*words), argparse.Namespace(count=4, pictures=2, steps=4)
    task = Task("three things", tuple(many.things(path)[:3]))
    measure = many.Measure(task, subject, asked)
    before = measure("things", "unedited", (subject, None, 0.0))
    after = measure("things", "erasepro", many.solved_here(subject, task, "erasepro"))
    assert before["leak"] == pytest.approx(1)
    assert after["worst"] < 0.02
    assert max(after["drift"].values()) < 0.05
    assert after["undone"]
    assert 0 < after["megabytes"] < 1
    many.plot([before, after], tmp_path / "many.png")
    assert (tmp_path / "many.png").stat().st_size
    assert len(many.line(after).split("|")) == len(many.HEAD.split("|"))
