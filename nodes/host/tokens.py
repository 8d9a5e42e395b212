"""Prompts as rows of tokens, made by the host's own tokenizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, cast

from comfy.sd import CLIP
from comfy.sd1_clip import SDTokenizer
from torch import nn

from ...erasepro_core import Encoder, TokenRow
from ...erasepro_core.align import POOLED_ROW, common
from ...erasepro_core.path import Rows
from .vocabulary import whole_words

HostTokens = list[list[tuple[int, float]]]
"""Tokens as the host's tokenizers give them and its encoders take them: rows of (id, weight)."""


class PromptError(ValueError):
    """A prompt that does not fit into one chunk of tokens."""


class PromptTokenizer:
    """Makes one row of tokens for each text encoder of a CLIP."""

    def __init__(self, clip: CLIP, encoders: Sequence[Encoder]):
        self._clip, self._encoders = clip, encoders
        self._frames = {encoder.name: self._frame(encoder) for encoder in encoders}
        weighed = clip.tokenize("(a:1.3)")
        self._emphasising = {e.name for e in encoders if any(weight != 1 for _, weight in weighed[e.tokens][0])}
        """The encoders that take brackets for emphasis; to the others they are letters, and so is what escapes them."""
        self._known: dict[tuple[str, bool], Rows] = {}
        """Prompts so far: most are asked for several times in a solve."""

    def rows(self, prompt: str, emphasis: bool) -> Rows:
        """The prompt's rows by encoder.

        Raises:
            PromptError: the prompt does not fit into one chunk.
        """
        if (prompt, emphasis) not in self._known:
            self._known[prompt, emphasis] = self._read(prompt, emphasis)
        return self._known[prompt, emphasis]

    def _read(self, prompt: str, emphasis: bool) -> Rows:
        typed = self._clip.tokenize(prompt)
        words = typed if emphasis or "(" not in prompt else self._clip.tokenize(_without_emphasis(prompt))
        tokens = {e.name: (words if e.name in self._emphasising else typed)[e.tokens] for e in self._encoders}
        rows = {encoder.name: self._row(prompt, encoder, tokens[encoder.name]) for encoder in self._encoders}
        return rows | {encoder.pooled: POOLED_ROW for encoder in self._encoders}

    def words(self, tokens: Mapping[str, Sequence[int]]) -> list[str]:
        """What tokens say, by encoder, each word once; nothing of a token that is no text."""
        said = (self._tokenizer(each).inv_vocab.get(token) for each in self._encoders for token in tokens[each.name])
        texts = (token.replace("</w>", "").strip(" \u2581\u0120") if isinstance(token, str) else "" for token in said)
        return list(dict.fromkeys(texts))

    def whole_words(self) -> list[str]:
        """The words of the tokenizer that has most of them; see `whole_words`."""
        return max((whole_words(self._tokenizer(encoder)) for encoder in self._encoders), key=len)

    def _row(self, prompt: str, encoder: Encoder, chunks: HostTokens) -> TokenRow:
        tokenizer, (lead, tail) = self._tokenizer(encoder), self._frames[encoder.name]
        if len(chunks) > 1:
            raise PromptError(
                f"{prompt!r} has {_count_words(tokenizer, chunks)} tokens; a concept and its sentence must fit into "
                f"one chunk of {tokenizer.max_length}. Shorten the name, its alias, its anchor or your sentence."
            )
        ids, weights = zip(*chunks[0], strict=True)
        end = (
            len(_unpadded(ids, tokenizer)) - tail
            if tokenizer.end_token is None
            else ids.index(tokenizer.end_token, lead)
        )
        # Masked padding that no layer reads would be most of the work (512 tokens a prompt for Wan), so it is cut off.
        # A CLIP takes rows of one length only.
        module = cast(Any, self._clip.cond_stage_model.get_submodule(encoder.name))
        cut = module.enable_attention_masks and not encoder.padding and not hasattr(module.transformer, "text_model")
        length = end + tail if cut else len(ids)
        return TokenRow(ids[:length], lead, end, tail, weights[:length])

    def _frame(self, encoder: Encoder) -> tuple[int, int]:
        """How many tokens the host puts before the words and after them: BOS, EOS, a template."""
        tokenizer = self._tokenizer(encoder)
        if tokenizer.end_token is not None:
            return tokenizer.tokens_start, 1
        rows = (self._clip.tokenize(text)[encoder.tokens][0] for text in ("", "a"))
        empty, some = (_unpadded([token for token, _ in row], tokenizer) for row in rows)
        lead = common(empty, some)
        # A template may have a space instead of nothing, which is then no part of what stands behind the words.
        return lead, common(empty[lead:][::-1], some[lead:][::-1])

    def _tokenizer(self, encoder: Encoder) -> Any:
        """The host's tokenizer of one encoder."""
        outer = self._clip.tokenizer
        return getattr(outer, encoder.name, None) or getattr(outer, f"clip_{encoder.name}")


def padded(rows: Sequence[TokenRow], encoder: nn.Module) -> HostTokens:
    """The rows, each padded to the length of the longest one, as the host's encoder takes them."""
    pad = cast(Any, encoder).special_tokens.get("pad", 0)
    length = max(len(row.ids) for row in rows)
    return [[*zip(row.ids, row.weights, strict=True), *[(pad, 1.0)] * (length - len(row.ids))] for row in rows]


def _unpadded(ids: Sequence[int], tokenizer: Any) -> Sequence[int]:
    """The tokens without padding at their end, of a tokenizer without end token."""
    length = len(ids)
    while length and ids[length - 1] == tokenizer.pad_token:
        length -= 1
    return ids[:length]


def _without_emphasis(prompt: str) -> str:
    """The prompt with its parentheses escaped: emphasis is no part of a concept."""
    plain = prompt.replace(r"\(", "(").replace(r"\)", ")")
    return plain.replace("(", r"\(").replace(")", r"\)")


@lru_cache(maxsize=4096)
def token_count(phrase: str) -> int:
    """How many tokens CLIP makes of a phrase, without start and end. Text encoders of another kind differ a little."""
    tokenizer = _clip_tokenizer()
    return _count_words(tokenizer, tokenizer.tokenize_with_weights(phrase, disable_weights=True))


def _count_words(tokenizer: Any, chunks: HostTokens) -> int:
    """How many tokens of a tokenized prompt are neither start, end nor padding."""
    frame = (tokenizer.start_token, tokenizer.end_token)
    return sum(token not in frame for chunk in chunks for token, _ in chunk)


@cache
def _clip_tokenizer() -> SDTokenizer:
    return SDTokenizer()
