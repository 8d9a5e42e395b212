"""Alignment with the real CLIP tokenizer."""

import pytest

from erasepro_core.align import (
    PADDING_OFFSETS,
    POOLED_ROW,
    TokenRow,
    align,
    content_positions,
    measured_positions,
    name_positions,
    words_before,
)

BOS, EOS = 49406, 49407


@pytest.fixture(scope="module")
def tokenizer(comfy_library):
    from comfy.sd1_clip import SD1Tokenizer

    return SD1Tokenizer()


@pytest.fixture
def row(tokenizer):
    """Reads a prompt as the pack does."""

    def read(prompt: str) -> TokenRow:
        ids = tuple(token for token, _ in tokenizer.tokenize_with_weights(prompt)["l"][0])
        return TokenRow(ids, 1, ids.index(EOS))

    return read


@pytest.fixture
def aligned(row, tokenizer):
    """Pairs of words (and EOS) that are aligned, for a template, a target and an anchor."""

    def read(template: str, target: str, anchor: str) -> list[tuple[str, str]]:
        t, a = row(template.replace("{}", target)), row(template.replace("{}", anchor))
        prefix = row(template.partition("{}")[0])
        words = tokenizer.clip_l.inv_vocab
        found = align(t, a, (prefix.end - prefix.start,) * 2)
        pairs = found.concept + found.suffix
        return [(words[t.ids[i]].removesuffix("</w>"), words[a.ids[j]].removesuffix("</w>")) for i, j in pairs]

    return read


END = ("<|endoftext|>", "<|endoftext|>")


def test_the_prefix_is_not_constrained_and_the_suffix_is(aligned):
    assert aligned("a photo of a {} on a table", "cat", "dog") == [
        ("cat", "dog"),
        ("on", "on"),
        ("a", "a"),
        ("table", "table"),
        END,
    ]


def test_concepts_of_several_tokens_are_aligned_last_to_last(aligned):
    assert aligned("art by {}", "van gogh", "an artist") == [("van", "an"), ("gogh", "artist"), END]


def test_tokens_in_excess_of_the_target_answer_to_the_first_of_the_anchor(aligned):
    assert aligned("{} here", "vincent van gogh", "an artist") == [
        ("vincent", "an"),
        ("van", "an"),
        ("gogh", "artist"),
        ("here", "here"),
        END,
    ]


def test_tokens_in_excess_of_the_anchor_answer_to_nobody(aligned):
    assert aligned("{}", "cat", "a person wearing clothes") == [("cat", "clothes"), END]


def test_an_anchor_without_tokens_of_its_own_lends_the_token_after_the_gap(aligned):
    assert aligned("a {} here", "red circle", "circle") == [
        ("red", "circle"),
        ("circle", "circle"),
        ("here", "here"),
        END,
    ]
    assert aligned("a {}", "cat", "") == [("cat", "<|endoftext|>"), END]


def test_bos_answers_to_nobody(row):
    t, a = row("cat"), row("")
    assert all(i > 0 and j > 0 for i, j in align(t, a, (0, 0)).columns)


def test_a_target_that_begins_its_anchor_is_still_the_target(aligned):
    """Equal first words are not the prefix: `circle -> circle shape` must change circle."""
    assert aligned("a {}", "circle", "circle shape") == [("circle", "shape"), END]


def test_a_word_that_both_end_with_is_aligned_as_suffix(aligned):
    assert aligned("a {}", "red circle", "blue circle") == [("red", "blue"), ("circle", "circle"), END]


def test_a_name_of_many_pieces_keeps_its_last_piece_for_the_anchor(row, aligned):
    pieces = aligned("a {}", "hokusai katsushika", "artist")
    assert len(pieces) > 3
    assert {anchor for _, anchor in pieces[:-1]} == {"artist"}


def test_padding_is_measured_by_its_offset_from_the_end(row):
    t, a = row("a vincent van gogh"), row("a cat")
    padding = align(t, a, (1, 1)).padding
    assert padding == tuple((t.end + i, a.end + i) for i in PADDING_OFFSETS)
    assert all(t.ids[i] == a.ids[j] == EOS for i, j in padding)


def test_a_shifted_anchor_is_aligned_by_its_own_prefix(row):
    t, a = row("a vincent van gogh here"), row(", , a cat here")
    found = align(t, a, (1, 3))
    assert found.concept == ((2, 4), (3, 4), (4, 4))
    assert found.suffix == ((5, 5), (6, 6))
    assert all(i == j for i, j in found.padding)


def test_positions_of_a_prompt_leave_bos_out_and_stop_at_the_end_of_the_chunk(row):
    short, full = row("a cat"), row("cat " * 75)
    assert content_positions(short) == [1, 2, 3]
    assert measured_positions(short) == [1, 2, 3, 4, 5, 7, 11]
    assert measured_positions(full) == [*range(1, 77)]
    assert short.ids[0] == BOS


def test_a_pooled_vector_is_one_token_that_answers_to_one_token():
    assert align(POOLED_ROW, POOLED_ROW, (0, 0)).columns == ((0, 0),)
    assert measured_positions(POOLED_ROW) == content_positions(POOLED_ROW) == name_positions(POOLED_ROW) == [0]


def test_the_end_of_a_template_is_suffix_and_a_row_may_end_with_its_last_word():
    """A language model's prompt: 7 8 | words | 9 9, and one without anything behind the words."""
    target, anchor = TokenRow((7, 8, 1, 2, 3, 9, 9), 2, 5, 2), TokenRow((7, 8, 1, 4, 9, 9), 2, 4, 2)
    assert align(target, anchor, (1, 1)).columns == ((3, 3), (4, 3), (5, 4), (6, 5))
    bare, short = TokenRow((7, 1, 2, 3), 1, 4, 0), TokenRow((7, 1, 4), 1, 3, 0)
    assert align(bare, short, (1, 1)).columns == ((2, 2), (3, 2))
    assert align(bare, TokenRow((7, 1), 1, 2, 0), (1, 1)).columns == ((2, 1), (3, 1))


def test_padding_that_nothing_reads_is_left_out(row):
    t, a = row("a cat"), row("a dog")
    assert not align(t, a, (1, 1), padding=False).padding
    assert measured_positions(t, padding=False) == content_positions(t)


def test_a_space_before_the_concept_is_no_word_of_its_own():
    """Byte-pair tokenizers of language models read the space at the end of `a photo of a ` as a token."""
    sentence, prefix = TokenRow((5, 6, 40), 0, 3, 0), TokenRow((5, 6, 220), 0, 3, 0)
    assert words_before(sentence, prefix) == 2
    assert words_before(sentence, TokenRow((5, 6), 0, 2, 0)) == 2


def test_what_stands_before_the_concept_is_aligned_where_it_depends_on_it():
    target, anchor = TokenRow((9, 1, 2, 5, 6, 8), 1, 5), TokenRow((9, 0, 1, 2, 7, 8), 1, 5)
    assert align(target, anchor, (2, 3)).prefix == ()
    assert align(target, anchor, (2, 3), causal=False).prefix == ((0, 0), (1, 2), (2, 3))
    assert set(align(target, anchor, (2, 3), causal=False).prefix) <= set(
        align(target, anchor, (2, 3), causal=False).columns
    )
