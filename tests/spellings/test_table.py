"""The table of spellings, read in Python."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from erasepro_core import ConceptError, Request, parse_request
from erasepro_core.concept_text import line_errors
from erasepro_core.mention import mentions
from erasepro_core.probes import OWN, further_probes

from .table import DOCUMENT, ROWS, document


def read(row) -> Request:
    field, kind = row["field"], row.get("kind", "object")
    if field == "concepts":
        return parse_request(row["text"], kind)
    if field == "probes":
        request = parse_request("fox -> dog", kind)
        own = [probe.pair.target_prompt for probe in further_probes(request, [row["text"]]) if probe.group == OWN]
        return replace(request, everyday=tuple(own))
    return parse_request("fox -> dog", kind, **{field: row["text"]})


def names(row) -> list[str]:
    """What is read of a row's text, in its field."""
    request = read(row)
    if row["field"] == "concepts":
        return [name for concept in request.concepts for name in concept.names]
    others = request.preserves, request.everyday, request.concepts[0].sentences
    return list(
        dict(zip(("preserve", "everyday", "sentences", "probes"), (*others, request.everyday), strict=True))[
            row["field"]
        ]
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_text_is_read_as_meant_or_refused(row):
    if "refused" in row:
        with pytest.raises(ConceptError, match=row["refused"]) as caught:
            read(row)
        assert "line 1: " in str(caught.value) or row["field"] == "probes"
        assert row["field"] != "concepts" or re.search(row["refused"], line_errors(row["text"], "object")[1])
    elif not row["read"]:
        with pytest.raises(ConceptError, match="text is empty"):
            read(row)
    else:
        assert names(row) == row["read"]
        assert row["field"] != "concepts" or read(row).concepts[-1].anchor == row["anchor"]


@pytest.mark.parametrize("row", [row for row in ROWS if "anchor" in row], ids=lambda row: row["id"])
def test_what_was_read_is_read_as_the_same_again(row):
    request = read(row)
    assert parse_request("\n".join(map(str, request.concepts)), row.get("kind", "object")) == request


@pytest.mark.parametrize("row", [row for row in ROWS if {"prompts", "other"} & set(row)], ids=lambda row: row["id"])
def test_a_prompt_mentions_a_name_however_it_is_written(row):
    for prompt in (*row.get("prompts", []), *row.get("found", [])):
        assert any(mentions(prompt, name) for name in row["read"]), prompt
    for prompt in row.get("other", []):
        assert not any(mentions(prompt, name) for name in row["read"]), prompt


def test_the_page_of_the_documentation_is_this_table():
    assert DOCUMENT.read_text() == document()
    assert len(ROWS) == len({row["id"] for row in ROWS}) >= 60


STORED = json.loads((Path(__file__).parent / "ec4a23f.json").read_text())


@pytest.mark.parametrize("case", STORED, ids=lambda case: case["name"])
def test_requests_of_before_are_read_as_commit_ec4a23f_read_them(case):
    """Written by that commit's own parser: its example workflows and presets, and names with marks that are theirs."""
    request = parse_request(case["text"], case["kind"], case["preserve"], case["everyday"])
    assert [[list(concept.names), concept.anchor] for concept in request.concepts] == case["concepts"]
    assert list(request.preserves) == case["preserves"]
    assert list(request.everyday) == case["prompts"]
