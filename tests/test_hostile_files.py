"""Files that are not what they seem: each is refused with a reason, in little time and memory."""

import json
import struct
import time
import tracemalloc
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from erasepro_core import container
from erasepro_core.container import FileError
from erasepro_core.files import pack, read, unpack
from tests.artefact import ENCODER, KEYS, VALUES, example, normal

UP = "lora_te_text_model_encoder_layers_0_mlp_fc2.lora_up.weight"
DOWN = UP.replace("up", "down")
ALPHA = UP.replace("lora_up.weight", "alpha")


def good() -> tuple[dict, dict]:
    return pack(example(), "float32")


def sealed(tensors: dict, metadata: dict) -> bytes:
    """A file with a checksum that fits: who means harm computes one."""
    return save(tensors, metadata | {container.CHECKSUM: container.checksum(tensors, metadata)})


def with_tensor(name: str, value: torch.Tensor | None, seal=sealed) -> bytes:
    tensors, metadata = good()
    tensors.pop(name, None)
    return seal(tensors if value is None else tensors | {name: value}, metadata)


def with_entry(key: str, change, seal=sealed) -> bytes:
    """The good file with one metadata entry changed: `change` gets its JSON value, or its text."""
    tensors, metadata = good()
    text = metadata[f"erasepro.{key}"]
    changed = change(json.loads(text)) if text[0] in "[{" else change(text)
    return seal(tensors, metadata | {f"erasepro.{key}": changed if isinstance(changed, str) else json.dumps(changed)})


def with_header(header: bytes | str, data: bytes = b"") -> bytes:
    header = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(header)) + header + data


def changed(**parts):
    """A change of the first layer or check, or of a mapping."""

    def change(value):
        first = value[0] if isinstance(value, list) else value
        first.update(parts)
        return value

    return change


def zip_like() -> bytes:
    """What torch.save writes, a pickle in a zip, under a name that says safetensors."""
    return b"PK\x03\x04" + b"\x00" * 200


WHOLE = save(*good())
NESTED = "[" * 100_000 + "]" * 100_000
LONG = {"text": "a" * 100_000 + " -> square", "kind": "object"}

HOSTILE = {
    "empty": (b"", "says that 0 of them are its header"),
    "one byte": (b"\x10", "are its header"),
    "cut in the header": (WHOLE[:100], "are its header"),
    "cut in the tensors": (WHOLE[:-40], "is damaged: "),
    "bytes behind the end": (WHOLE + b"\0" * 8, "is damaged: "),
    "a pickle": (zip_like(), "are its header"),
    "a header of exabytes": (struct.pack("<Q", 2**62) + WHOLE[8:], "says that 4611686018427387904"),
    "a header above the limit": (with_header(b" " * (container.MAX_HEADER + 1)), "are its header"),
    "a header that is no JSON": (with_header("{]" + " " * 20), "is not readable JSON"),
    "a header that is no text": (with_header(b"\xff\xfe" * 20), "is not readable JSON"),
    "a header that is a list": (with_header("[1, 2, 3]"), "not one of a safetensors file"),
    "a header nested without end": (with_header(NESTED), "is not readable JSON (RecursionError)"),
    "metadata that is a number": (with_header('{"__metadata__": 3}'), "not one of a safetensors file"),
    "metadata with a list in it": (with_header('{"__metadata__": {"a": []}}'), "not one of a safetensors file"),
    "a tensor named twice": (
        with_header('{"a": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}, "a": {"dtype": "F32"}}'),
        "its header names something twice",
    ),
    "a tensor that says it is huge": (
        with_header(json.dumps({UP: {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 2**62]}})),
        "is damaged: ",
    ),
    "a tensor that is no tensor": (with_header('{"a": 3}'), "is of the kind 3"),
    "no metadata": (save(good()[0]), "has no ErasePro metadata"),
    "metadata of others": (save(good()[0], {"ss_network_dim": "4"}), "load it with the stock LoRA loader"),
    "a later format": (with_entry("format", lambda _: "99"), "format '99'; this pack reads 1, 2"),
    "integers": (with_tensor(UP, torch.ones(8, 3, dtype=torch.int8)), "is of the kind I8; expected F16, BF16, F32"),
    "doubles": (with_tensor(UP, normal(8, 3, seed=0).double()), "is of the kind F64"),
    "a factor with one axis": (with_tensor(UP, normal(8, seed=0)), "have the shapes [8] and [3, 16]"),
    "ranks that differ": (with_tensor(UP, normal(8, 4, seed=0)), "have the shapes [8, 4] and [3, 16]"),
    "rank zero": (
        sealed(good()[0] | {UP: torch.zeros(8, 0), DOWN: torch.zeros(0, 16)}, good()[1]),
        "have the shapes [8, 0]",
    ),
    "alpha that rescales": (with_tensor(ALPHA, torch.tensor(30.0)), "is not its rank 3"),
    "alpha that is a table": (with_tensor(ALPHA, torch.full((3, 3), 3.0)), "is not its rank 3"),
    "a NaN": (with_tensor(UP, normal(8, 3, seed=0) * torch.nan), "values that are no numbers"),
    "an infinity": (with_tensor(DOWN, normal(3, 16, seed=0) * torch.inf), "values that are no numbers"),
    "other numbers": (with_tensor(UP, normal(8, 3, seed=9), seal=save), "was changed after it was saved"),
    "a check that someone eased": (
        with_entry("checks", changed(target=[[1e6] * 4] * 3), seal=save),
        "was changed after it was saved",
    ),
    "a better leak written in": (
        with_entry("measures", changed(leak_unseen=[0.0, 0.0]), seal=save),
        "was changed after it was saved",
    ),
    "a tensor too few": (with_tensor(DOWN, None), "has no tensors of its own"),
    "a tensor too many": (
        with_tensor("lora_unet_time_embed_0.alpha", torch.ones(1)),
        "such as 'lora_unet_time_embed_0",
    ),
    "tensors of another model": (
        sealed({k.replace("lora_te_", "lora_te2_"): v for k, v in good()[0].items()}, good()[1]),
        "has no tensors of its own",
    ),
    "no layers": (with_entry("layers", lambda _: []), "are of no layer"),
    "a layer twice": (with_entry("layers", lambda layers: layers + layers[:1]), "has no tensors of its own"),
    "a layer on no side": (with_entry("layers", changed(side="vae")), "names a layer on no side of a model"),
    "a layer on no side without tensors": (
        with_entry("layers", lambda layers: [*layers, layers[0] | {"side": "vae"}]),
        "names a layer on no side of a model",
    ),
    "a layer without a name": (with_entry("layers", changed(name=None)), "is not what format 3 says"),
    "a layer that leads out": (with_entry("layers", changed(name="../../etc/passwd")), "has no tensors of its own"),
    "a family of nobody": (with_entry("family", lambda _: "../sd1"), "the family '../sd1'; this pack knows"),
    "a request without concepts": (with_entry("request", changed(concepts=[])), "must name concepts one by one"),
    "a request that contradicts itself": (
        with_entry("request", lambda r: r["concepts"].append({"text": "disc -> ring", "kind": "object"}) or r),
        "is asked to become both",
    ),
    "a concept of many lines": (
        with_entry("request", changed(concepts=[{"text": "a -> b\nc -> d", "kind": "object"}])),
        "must name concepts one by one",
    ),
    "a concept of a kind of nobody": (
        with_entry("request", changed(concepts=[{"text": "a -> b", "kind": "x"}])),
        "there is no kind 'x'",
    ),
    "a concept without end": (with_entry("request", changed(concepts=[LONG])), "has more than 20000 letters"),
    "concepts that are text": (with_entry("request", changed(concepts="ab")), "is not what format 3 says"),
    "a request nested without end": (with_entry("request", lambda _: NESTED), "is not readable JSON (RecursionError)"),
    "a request that says things twice": (
        with_entry("request", lambda _: '{"preserves": [], "preserves": []}'),
        "names something twice",
    ),
    "a preserve that is a number": (with_entry("request", changed(preserves=[3])), "is not what format 3 says"),
    "an option of nobody": (with_entry("options", changed(turbo=1)), "there are no options ['turbo']"),
    "an option out of its choices": (with_entry("options", changed(where="vae")), "its option where is 'vae'"),
    "an option of another sort": (
        with_entry("options", changed(templates="5")),
        "its option templates is '5'; expected a number",
    ),
    "a measure that is NaN": (with_entry("measures", changed(seconds=float("nan"))), "contains NaN"),
    "a measure that overflows": (
        with_entry("measures", lambda m: json.dumps(changed(start=0)(m)).replace("1.25", "1e999")),
        "is not what format 3 says",
    ),
    "a number of a million digits": (with_entry("checks", lambda _: "[" + "9" * 10**6 + "]"), "JSON"),
    "too many leaks": (with_entry("measures", changed(leak_unlisted=[0.1] * 3)), "3 leaks where 2 are expected"),
    "a leak that is text": (with_entry("measures", changed(leak_unlisted=["0", None])), "is not what format 3 says"),
    "too few leaks": (with_entry("measures", changed(leak_unseen=[0.1])), "1 numbers where 2 are expected"),
    "a check of another concept": (with_entry("checks", changed(concept=7)), "is not what format 3 says"),
    "a check of another name": (with_entry("checks", changed(name="ring")), "not about its concepts"),
    "a check of a sentence without end": (with_entry("checks", changed(template="{} " * 10**5)), "not about its conc"),
    "a check with other sizes": (with_entry("checks", changed(anchor=[[1.0, 2.0]])), "sketches of different sizes"),
    "a check with ragged rows": (
        with_entry("checks", changed(anchor=[[1.0], [1.0, 2.0]])),
        "is not what format 3 says",
    ),
    "a check that is true": (with_entry("checks", changed(target=[[True] * 4] * 3)), "is not what format 3 says"),
    "a fingerprint of three": (with_entry("layers", changed(fingerprint=[1, 2, 3])), "3 numbers where 2 are expected"),
}


def test_the_file_that_all_others_are_made_from_is_read(tmp_path):
    (tmp_path / "good.safetensors").write_bytes(WHOLE)
    assert read(tmp_path / "good.safetensors").solution.updates.checksum() == example().solution.updates.checksum()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_a_reason(tmp_path, name):
    data, reason = HOSTILE[name]
    (tmp_path / "bad.safetensors").write_bytes(data)
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(FileError) as refused:
        read(tmp_path / "bad.safetensors")
    assert time.perf_counter() - began < 3
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * len(data) + 5_000_000
    said = str(refused.value)
    assert "bad.safetensors" in said
    assert reason in said
    assert len(said) < 500


ENTRIES = ["family", "digest", "checksum", "request", "options", "measures", "layers", "checks"]


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_that_is_missing_is_named(entry):
    tensors, metadata = good()
    del metadata[f"erasepro.{entry}"]
    if entry != "checksum":
        metadata[container.CHECKSUM] = container.checksum(tensors, metadata)
    with pytest.raises(FileError, match=f"has no entry erasepro.{entry}"):
        unpack(tensors, metadata)


def test_nothing_that_reads_files_knows_of_pickles():
    source = Path(container.__file__).read_text()
    assert "pickle" not in source
    assert "torch.load" not in source


def test_the_layers_are_those_of_the_example():
    """The hostile files above aim at the first layer; this keeps the aim right."""
    _, metadata = good()
    assert [layer["name"] for layer in json.loads(metadata["erasepro.layers"])] == [ENCODER, KEYS, VALUES]
