"""Which prompts are encoded together, and that none is encoded that is known."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from erasepro_core import TokenRow
from erasepro_core.encoded import PART, SPARE, encode_prompts, in_parts


def row(words: int, length: int = 77) -> dict[str, TokenRow]:
    return {"l": TokenRow(tuple(range(length)), 1, 1 + words)}


def read(rows: Sequence[dict[str, TokenRow]], padding: Sequence[int | None], part: Sequence[int]) -> list[int]:
    return [rows[index]["l"].read(padding[index]) for index in part]


def test_a_part_has_few_tokens_that_nobody_reads():
    rows = [row(words) for words in (1, 3, 5, 9, 12, 18, 60) for _ in range(40)]
    padding = [8 if n % 4 else 0 for n in range(len(rows))]
    parts = in_parts(rows, padding)
    assert sorted(index for part in parts for index in part) == list(range(len(rows)))
    for part in parts:
        lengths = read(rows, padding, part)
        assert max(lengths) * len(lengths) <= PART
        assert max(lengths) * len(lengths) - sum(lengths) <= SPARE
    assert len(parts) < len(rows) / 10


def test_a_prompt_that_is_read_whole_makes_no_other_longer():
    rows, padding = [*(row(10) for _ in range(20)), row(0)], [8] * 20 + [None]
    assert in_parts(rows, padding)[-1] == [20]


class Counted:
    """A path of one input; it remembers what it encodes."""

    inputs, encoders = (), ()

    def __init__(self):
        self.encoded: list[str] = []

    def tokenize(self, prompts, emphasis=False):
        return [{"l": TokenRow((0, *map(ord, prompt), 1), 1, 1 + len(prompt))} for prompt in prompts]

    def encode(self, rows, padding=None):
        said = ["".join(map(chr, each["l"].ids[1:-1])) for each in rows]
        self.encoded += said
        return {"text": torch.tensor([[[float(ord(word[0]))]] for word in said])}


@pytest.mark.parametrize(("known", "left"), [(("cat",), ["dog", "fox"]), ((), ["cat", "dog", "fox"])])
def test_what_is_known_is_not_encoded_again(known, left):
    path: Any = Counted()
    before = encode_prompts(path, known)
    path.encoded.clear()
    found = encode_prompts(path, ["fox", "cat", "dog", "fox"], known=before)
    assert sorted(path.encoded) == left
    assert list(found.features) == list(found.rows) == ["fox", "cat", "dog"]
    assert [float(found.features[p]["text"]) for p in ("fox", "cat", "dog")] == [102.0, 99.0, 100.0]


def test_two_prompts_that_the_model_reads_as_one_are_encoded_once():
    class Lower(Counted):
        def tokenize(self, prompts, emphasis=False):
            return super().tokenize([prompt.lower() for prompt in prompts])

    path: Any = Lower()
    before = encode_prompts(path, ["cat"])
    found = encode_prompts(path, ["CAT", "Dog", "dog"], known=before)
    assert path.encoded == ["cat", "dog"]
    assert [float(found.features[p]["text"]) for p in ("CAT", "Dog", "dog")] == [99.0, 100.0, 100.0]
