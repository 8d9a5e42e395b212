"""Laws of alignment on made-up names, with the tokenizers of every family that the host has."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from erasepro_core.concept import PromptPair
from erasepro_core.encoded import aligned, matched
from tests import pack

FAMILIES = "sd1", "sd2", "sdxl", "sd3", "pixart", "aura_flow", "hunyuan_dit", "hunyuan_image_21", "hidream", "flux2"
FAMILY = st.sampled_from((*FAMILIES, "lumina2", "z_image", "omnigen2", "wan"))
"""Between them they have every tokenizer."""
WORDS = ["cat", "a", "Van", "Gogh", "lighthouse", "xqzv", "O'Neil", "rock-and-roll", "é", "Ünal", "猫", "3d", "B.", "&"]
NAMES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
SENTENCES = st.sampled_from(["{}", "a photo of a {}", "{} on a table", "art by {}, oil", "({})"])


@cache
def path_of(family: str) -> Any:
    from tests.host.families import models

    with torch.inference_mode():
        return pack.module("nodes.host").HostPath(*models.MODELS[family]())


@pytest.fixture(scope="module")
def models(comfy_library) -> Iterator[None]:
    """The tiny models go before the interpreter does, which their destructors would not survive."""
    yield
    path_of.cache_clear()


@pytest.mark.usefixtures("models")
@given(FAMILY, SENTENCES, NAMES, NAMES)
def test_every_token_of_a_name_and_of_what_follows_has_one_answer(family, sentence, name, anchor):
    assume(name.casefold() != anchor.casefold())
    path = path_of(family)
    (pair,), prefixes = matched(path, [PromptPair(sentence, name, anchor, 0)])
    prompts = pair.target_prompt, pair.anchor_prompt
    rows = dict(zip(prompts, path.tokenize(prompts), strict=True))
    for encoder in path.encoders:
        target, other = (rows[prompt][encoder.name] for prompt in prompts)
        found = aligned(pair, rows, prefixes, encoder.name, padding=encoder.padding, causal=encoder.causal)
        answered = [*found.concept, *found.suffix]
        first = min((t for t, _ in answered), default=target.end)
        assert [t for t, _ in answered] == [*range(first, target.end + target.tail)]  # each once, to the end
        before = prefixes[pair.target_prefix][encoder.name]  # what has no answer is what stands there without a name
        assert target.ids[target.start : first] == before.ids[before.start :][: first - target.start]
        assert [a for _, a in found.concept] == sorted(a for _, a in found.concept)
        assert all(target.ids[t] == other.ids[a] for t, a in found.suffix)
        ends = [a - other.end - other.tail for _, a in found.suffix]
        assert ends == [*range(-len(ends), 0)]  # end to end
        assert all(0 <= t < len(target.ids) and 0 <= a < len(other.ids) for t, a in found.columns)
