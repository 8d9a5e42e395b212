"""Find Names: what the model's own vocabulary says of a concept, and what a request makes of it."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import pytest
import torch

from erasepro_core import Options, parse_request
from erasepro_core import vocabulary as names_of_core
from erasepro_core.number import goes_on
from erasepro_core.progress import Phase, Progress
from erasepro_core.thesaurus import Relation
from erasepro_core.vocabulary import WIDEST, Vocabulary, find_names, narrowed, read_vocabulary
from tests import pack
from tests.host import graphs
from tests.host.graphs import node
from tests.mini.request import mini_request
from tests.words.relatives import RELATIVES

WORDS = 2000
"""Of the tokenizer's own list; the words that the tests speak of are added."""


@pytest.fixture(scope="module")
def path(words, host):
    return host.HostPath(*words[:2])


@pytest.fixture(scope="module")
def vocabulary(path):
    everyday = path.whole_words()
    spoken = {w for thing, r in RELATIVES.items() for w in (thing, *r.synonyms, *r.neighbours, r.plural)} | {"lincoln"}
    spoken &= set(everyday)
    return read_vocabulary([*everyday[:WORDS], *sorted(spoken - set(everyday[:WORDS]))], path, 600)


def found(path, vocabulary, text: str, kind: str = "object", own=(), preserve: str = ""):
    (names,) = find_names(parse_request(text, kind, preserve), path, vocabulary, own)
    return [name for name, _ in names.likely], [name for name, _ in names.near]


def test_most_synonyms_and_every_plural_are_found_and_few_neighbours(path, vocabulary):
    things = {thing: near for thing, near in RELATIVES.items() if thing in vocabulary.words}
    assert len(things) > 20
    finding = find_names(parse_request("\n".join(f"{thing} -> stuff" for thing in things), "object"), path, vocabulary)
    likely = {names.target: {name for name, _ in names.likely} for names in finding}

    def share(words) -> float:
        """Of these words of every thing, those that are found for it, as far as the encoder has them as one token."""
        known = [(thing, word) for thing, near in things.items() for word in words(near) if word in vocabulary.words]
        return sum(word in likely[thing] for thing, word in known) / len(known)

    assert share(lambda near: [near.plural]) > 0.9
    assert share(lambda near: near.synonyms) > 0.55
    assert share(lambda near: near.neighbours) < 0.1
    assert all(not {name for name, _ in names.near} & likely[names.target] for names in finding)


def test_nothing_is_found_that_the_request_names(path, vocabulary):
    likely, near = found(path, vocabulary, "cat | kitten -> a pet", preserve="cats\nlynx")
    assert not {"cat", "kitten", "pet", "cats", "lynx"} & {*likely, *near}


def test_what_means_a_word_of_a_name_does_not_mean_the_name(path, vocabulary):
    """`vehicle` is a name of `car`, not of `red car`; and the words themselves stay what they are."""
    assert "vehicle" in found(path, vocabulary, "car -> thing")[0]
    likely, near = found(path, vocabulary, "red car -> blue car")
    assert not {"vehicle", "cars", "car", "red", "blue"} & set(likely)
    assert "vehicle" in near


def test_a_word_that_begins_with_a_name_means_something_else_and_one_that_ends_with_it_may_be_one(path, vocabulary):
    """What an English word means stands at its end."""
    likely, near = found(path, vocabulary, "fish -> thing", own=["fishing", "catfish"])
    assert "catfish" in likely
    assert "fishes" in likely
    assert "fishing" in near
    assert "bottled" in found(path, vocabulary, "bottle -> thing", own=["bottled"])[1]


def test_a_kind_of_it_comes_before_what_only_has_to_do_with_it(path, vocabulary, monkeypatch):
    """`brewery` and `beer` are nearer to each other in this encoder than `stout` and `beer`."""
    words, before = ["stout", "brewery"], []
    for leaning in (names_of_core.LEANING, dict.fromkeys(Relation, 0.0)):
        monkeypatch.setattr(names_of_core, "LEANING", leaning)
        likely, _ = found(path, vocabulary, "beer -> thing", own=words)
        before.append(next(word for word in likely if word in words))
    assert before == words


def test_only_english_words_are_taken_apart():
    assert goes_on("Bookstore", "book")
    assert not any(goes_on(word, "book") for word in ("book", "Books", "textbook"))
    assert not goes_on("children", "child")
    assert not goes_on("\u732b\u54aa", "\u732b")


def test_of_explicit_content_a_word_that_begins_with_a_name_may_mean_it(path, vocabulary):
    for kind, expected in (("explicit content", True), ("object", False)):
        likely, _ = found(path, vocabulary, "naked -> a person wearing clothes", kind, own=["nakedness"])
        assert ("nakedness" in likely) == expected


def test_a_chinese_request_is_compared_with_chinese_names_as_well(path, vocabulary, monkeypatch):
    """MiniLM reads few Chinese letters, so the language is set by hand."""
    seen: list[tuple[str, ...]] = []
    monkeypatch.setattr(Vocabulary, "with_names", lambda self, names, path: seen.append(tuple(names)) or self)
    for languages in ((), ("zh",)):
        request = parse_request("\u732b -> \u72d7", "object")
        spoken = replace(request, concepts=(replace(request.concepts[0], languages=languages),))
        monkeypatch.setattr(names_of_core, "in_languages", lambda request, path, spoken=spoken: spoken)
        find_names(request, path, vocabulary)
    kind = request.concepts[0].kind
    english, chinese = seen[0], seen[2]
    assert english == kind.names[: len(english)]
    assert set(chinese) & set(kind.local_names["zh"])


def test_a_part_of_a_proper_name_is_found_and_other_painters_are_not(path, vocabulary):
    assert "lincoln" in found(path, vocabulary, "Abraham Lincoln", "person")[0]
    likely, near = found(path, vocabulary, "Claude Monet", "style")
    assert not set(likely) & set(parse_request("Monet", "style").concepts[0].kind.names)
    assert any(name[0].isupper() for name in near)


def test_own_candidates_of_several_words_are_compared(path, vocabulary):
    likely, near = found(path, vocabulary, "cat -> thing", own=["a small feline pet", "my old typewriter"])
    assert "a small feline pet" in {*likely, *near}
    assert "my old typewriter" not in likely


def test_the_commonest_words_are_read_first_until_the_time_is_up(path):
    words = path.whole_words()
    read = read_vocabulary(words, path, seconds=0)
    assert read.words == tuple(words[: len(read.words)])
    assert 0 < len(read.words) < read.total == len(words)


def test_a_model_is_read_once_and_more_time_reads_on(path, monkeypatch):
    module, calls = pack.module("nodes.host.vocabulary"), []
    monkeypatch.setattr(module, "_last", [])
    monkeypatch.setattr(module, "read_vocabulary", lambda *asked: calls.append(asked[2]) or read_vocabulary(*asked))
    words = path.whole_words()[:600]
    for seconds in (0, 0, 60, 60, 30, 90):
        module.vocabulary_of(path, words, seconds, lambda progress: None)
    assert calls == [0, 60]


def test_features_of_a_wide_model_are_narrowed_without_changing_what_is_near():
    def cosines(features: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cosine_similarity(features[:, None], features[None], dim=2)

    one = torch.randn(20, 4096, generator=torch.Generator().manual_seed(0))
    features = torch.cat([one, one + 0.5 * torch.randn(20, 4096, generator=torch.Generator().manual_seed(1))])
    assert narrowed(features).shape == (40, WIDEST)
    assert torch.allclose(cosines(narrowed(features)), cosines(features), atol=0.15)
    assert torch.equal(narrowed(features), narrowed(features))
    assert torch.equal(narrowed(features[:, :300]), features[:, :300])


def test_it_tells_its_progress_and_can_be_stopped(path):
    steps: list[Progress] = []

    def stop(progress: Progress) -> None:
        steps.append(progress)
        if progress.done == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        read_vocabulary(path.whole_words(), path, 600, stop)
    assert [(step.phase, step.done) for step in steps] == [(Phase.READING_WORDS, 1), (Phase.READING_WORDS, 2)]


def test_a_random_encoder_knows_no_words_and_a_trained_one_does(path, vocabulary, host, words):
    assert vocabulary.knows_words()
    clip = words[1].clone()
    shuffled = clip.cond_stage_model.minilm.transformer.bert.embeddings.word_embeddings
    before = shuffled.weight.data.clone()
    shuffled.weight.data = before[torch.randperm(len(before), generator=torch.Generator().manual_seed(0))]
    try:
        strange = read_vocabulary(path.whole_words()[:2000], host.HostPath(words[0], clip), 600)
    finally:
        shuffled.weight.data = before
    assert not strange.knows_words()
    names = pack.module("nodes.names")
    request = parse_request("cat -> thing", "object")
    assert "knows no words" in names.report(find_names(request, path, strange), strange)


def test_likely_names_become_aliases_or_are_measured_by_solve(path, vocabulary, words):
    names, solve = pack.module("nodes.names"), pack.module("nodes.solve").solve_and_check
    request = parse_request("cat -> dog", "object")
    finding = find_names(request, path, vocabulary)
    likely = tuple(name for name, _ in finding[0].likely)
    added = names.with_names(request, finding, add=True)
    assert added.concepts[0].names == ("cat", *likely)
    measured = names.with_names(request, finding, add=False)
    assert measured.concepts[0].names == ("cat",)
    quick = Options.named(templates=4)
    left = dict(solve(*words[:2], measured, quick).leak_found[0])
    assert tuple(left) == likely
    gone = solve(*words[:2], replace(added, concepts=(replace(added.concepts[0], found=likely),)), quick)
    assert max(gone.leak_training) < 0.2
    assert "kitten" in likely
    assert left["kitten"] > 0.2
    assert "names found and not listed: " in solve(*words[:2], measured, quick).short()


def test_every_synonym_of_the_mini_world_is_among_the_first_three(host, mini):
    from tests.mini.world import PLURALS, SHAPES, SYNONYMS

    path = host.HostPath(*mini[:2])
    known = {word for names in SYNONYMS.values() for word in names} | {*SHAPES, *PLURALS.values()}
    words = path.whole_words()
    vocabulary = read_vocabulary([word for n, word in enumerate(words) if n < WORDS or word in known], path, 600)
    for shape in SHAPES:
        (names,) = find_names(mini_request(f"{shape} -> thing", "object"), path, vocabulary)
        first = [name for name, _ in names.likely[:3]]
        single = [word for word in SYNONYMS.get(shape, ()) if word in vocabulary.words]
        assert set(single) <= set(first), (shape, single, names)


KINDS = {
    "CLIP": ("comfy.sd1_clip", "SD1Tokenizer", "clip_l"),
    "T5": ("comfy.text_encoders.flux", "FluxTokenizer", "t5xxl"),
    "Qwen": ("comfy.text_encoders.z_image", "ZImageTokenizer", "qwen3_4b"),
    "BERT": ("tests.words.model", "WordsTokenizer", "minilm"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_words_of_every_kind_of_tokenizer(comfy_library, kind):
    module, name, part = KINDS[kind]
    words = pack.module("nodes.host.vocabulary").whole_words(getattr(getattr(import_module(module), name)(), part))
    assert {"house", "water", "green"} <= set(words)
    assert all(word.isalpha() and len(word) > 2 for word in words)
    assert len(words) == len({word.casefold() for word in words}) > 3000
    assert words.index("and") < words.index("house") < len(words) / 2


def test_the_node_in_a_graph(server, info):
    graph = graphs.solved(info, "circle -> square")
    graph["find"] = node(
        "ErasePro_FindNames",
        model=["loader", 0],
        clip=["loader", 1],
        concepts=["define0", 0],
        likely_names="add them as aliases",
    )
    graph["solve"]["inputs"]["concepts"] = ["find", 0]
    result = server.queue(graph).checked()
    _, same, *_ = result.texts["find"].split("\n  ")
    assert same.startswith("may mean the same: circles ")
    assert ", disc " in same
    assert "circle | circles | disc" in result.texts["solve"]
