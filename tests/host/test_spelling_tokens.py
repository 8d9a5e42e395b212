"""The table of spellings and the tokenizers that the host ships: a prompt has the tokens of a form that is erased."""

import io
from functools import cache
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from sentencepiece import SentencePieceTrainer
from transformers import PreTrainedTokenizerFast

from erasepro_core import TokenRow, parse_request
from erasepro_core.marks import escaped
from erasepro_core.neutral import FIT_PROMPTS, local_prompts
from erasepro_core.phrase import language
from erasepro_core.spellings import spelled_out
from tests.spellings.table import ROWS

pytestmark = pytest.mark.usefixtures("comfy_library")
READS_ALL = ("zh", "ja", "th")
TOKENIZERS = {
    "CLIP": ("comfy.sd1_clip", "SD1Tokenizer", "l", ()),
    "T5": ("comfy.text_encoders.flux", "FluxTokenizer", "t5xxl", ()),
    "Pile T5": ("comfy.text_encoders.aura_t5", "AuraT5Tokenizer", "pile_t5xl", ()),
    "Llama": ("comfy.text_encoders.hunyuan_video", "HunyuanVideoTokenizer", "llama", READS_ALL),
    "Qwen": ("comfy.text_encoders.z_image", "ZImageTokenizer", "qwen3_4b", READS_ALL),
    "BERT": ("comfy.text_encoders.hydit", "HyditBertTokenizer", None, READS_ALL),
    "mT5": ("comfy.text_encoders.hydit", "HyditTokenizer", "mt5xl", READS_ALL),
    "ByT5": ("comfy.text_encoders.hunyuan_image", "ByT5SmallTokenizer", None, READS_ALL),
}
"""By kind: where its class is, what it calls its rows, and which languages beside English its encoders read."""
SPLIT = {
    *(("Pile T5", prompt) for prompt in ("saber (fate), smile", "saber (fate)")),
    *(("Llama", prompt) for prompt in ("saber (fate), smile", "saber (fate)", "saber_(fate)")),
}
"""Brackets that are not escaped are emphasis: the host cuts the words there, which these tokenizers join otherwise."""
AROUND = ("{}", "a photo of {} in snow", "{}, smile", "1girl, {}, smile", "({}:1.2)")


@cache
def tokenizer(kind: str) -> Any:
    module, name, *_ = TOKENIZERS[kind]
    made = getattr(import_module(module), name)(**({"tokenizer_data": pieces()} if kind == "mT5" else {}))
    if kind == "Llama":
        # transformers 5 takes the host's file for a tokenizer of another kind, and then drops spaces and Chinese.
        made.llama.tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(host_file("llama_tokenizer/tokenizer.json")))
    return made


@cache
def pieces() -> dict[str, Any]:
    """The file of sentence pieces that HunyuanDiT's mT5 reads from its checkpoint: a small real one of the prompts."""
    written = io.BytesIO()
    lines = [line for row in ROWS for line in (row["text"], *row.get("prompts", []), *row.get("read", []))]
    SentencePieceTrainer.train(
        sentence_iterator=iter([*FIT_PROMPTS, *local_prompts(("zh", "ja"), "solved on"), *lines]),
        model_writer=written,
        vocab_size=3000,
        hard_vocab_limit=False,
        character_coverage=1.0,
        pad_id=0,
        bos_id=-1,
        eos_id=1,
        unk_id=2,
        minloglevel=2,
    )
    return {"mt5xl.spiece_model": torch.tensor(list(written.getvalue()), dtype=torch.uint8)}


def host_file(name: str) -> Path:
    return Path(import_module("comfy.text_encoders.llama").__file__ or "").parent / name


def row_of(kind: str, prompt: str) -> list[tuple[int, float]]:
    rows = tokenizer(kind).tokenize_with_weights(prompt)
    (row,) = rows[TOKENIZERS[kind][2]] if isinstance(rows, dict) else rows
    return row


@cache
def tokens(kind: str, prompt: str) -> tuple[int, ...]:
    """The tokens of a prompt as a prompt node has it, with what the host puts around it and without padding."""
    ids = [int(token) for token, _ in row_of(kind, prompt)]
    while len(ids) > 1 and ids[-1] == ids[-2]:
        ids.pop()
    return tuple(ids)


@cache
def emphasises(kind: str) -> bool:
    return any(weight != 1 for _, weight in row_of(kind, "(a:1.3)"))


def plain(kind: str, name: str) -> str:
    """A name that is no emphasis, as the pack hands it to the host."""
    return escaped(name.replace("\\", "")) if emphasises(kind) else name


class Model:
    """What `spelled_out` asks of a live model."""

    def __init__(self, kind: str):
        self.kind, self.family = kind, SimpleNamespace(languages=TOKENIZERS[kind][3])

    def tokenize(self, prompts: Any, emphasis: bool = False) -> Any:
        rows = (tokens(self.kind, plain(self.kind, prompt)) for prompt in prompts)
        return [{"words": TokenRow(ids, 0, len(ids), 0)} for ids in rows]


def name_tokens(kind: str, form: str, sentence: str) -> tuple[int, ...]:
    """The tokens that a sentence has of a name: what another name in its place would change."""
    one, other = (tokens(kind, sentence.replace("{}", plain(kind, each))) for each in (form, "1"))
    first = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    behind = next((i for i, (a, b) in enumerate(zip(one[::-1], other[::-1], strict=False)) if a != b), 0)
    return one[first : len(one) - behind]


CASES = [(row, kind) for row in ROWS if row.get("prompts") for kind in TOKENIZERS]


@pytest.mark.parametrize(("row", "kind"), CASES, ids=lambda each: each if isinstance(each, str) else each["id"])
def test_a_prompt_has_the_tokens_of_a_form_that_is_erased(row, kind):
    request = spelled_out(parse_request(row["text"], row.get("kind", "object")), Model(kind))  # pyright: ignore
    concept = request.concepts[0]
    forms = {
        name_tokens(kind, name, sentence)
        for name in concept.names
        for sentence in (*AROUND, *(concept.templates(name) if concept.languages else ()))
    }
    for prompt in row["prompts"]:
        if (kind, prompt) in SPLIT:
            continue
        if language(*row["read"]) and language(*row["read"]) not in TOKENIZERS[kind][3]:
            continue  # an encoder that does not read the script
        typed = tokens(kind, prompt.replace("\u200b", ""))
        found = any(form == typed[i : i + len(form)] for form in forms if form for i in range(len(typed)))
        assert found, f"{prompt!r}: {typed} has none of {forms}"


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_what_mentions_no_name_has_not_the_tokens_of_all(kind):
    assert tokens(kind, "a photo of a fox") != tokens(kind, "a photo of a dog")
    assert len(tokens(kind, "fox")) >= 1
