"""What the concept editor is told while someone types, and that every shipped preset is understood."""

import json
import urllib.error
import urllib.request

import pytest

from tests.pack import ROOT

PRESETS = json.loads((ROOT / "web" / "presets.json").read_text())


def ask(server, **body):
    request = urllib.request.Request(f"{server.url}/api/erasepro/concepts", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_every_line_is_answered_with_its_error_and_its_tokens(server):
    answer = ask(server, text="Van Gogh | Vincent van Gogh\n# no\nsnow ->", kind="style", preserve="")
    assert answer["default_anchor"] == "art"
    assert answer["error"] is None
    names = ["Van Gogh", "Vincent van Gogh"]
    read = "Van Gogh | Vincent van Gogh -> art"
    assert answer["lines"]["1"] == {"error": None, "tokens": [2, 3], "read": read, "names": names}
    assert "has nothing after the arrow" in answer["lines"]["3"]["error"]


def test_what_stands_around_a_name_is_read_and_said(server):
    answer = ask(server, text=r"- (saber \(fate\):1.2) → woman # note", kind="object", preserve="")
    assert answer["lines"]["1"]["read"] == "saber (fate) -> woman"
    answer = ask(server, text="fox -> dog", kind="object", preserve="", everyday="a lake, embedding:easy")
    assert "everyday prompts, line 1" in answer["error"]


def test_a_text_without_concepts_is_an_error_of_no_line(server):
    answer = ask(server, text="# nothing yet", kind="object", preserve="")
    assert "concept text is empty" in answer["error"]
    assert answer["lines"]["1"]["error"] is None


@pytest.mark.parametrize("body", [{"kind": "object"}, {"text": 3, "kind": "object", "preserve": ""}])
def test_a_malformed_question_is_refused_in_words(server, body):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server, **body)
    assert caught.value.code == 400
    assert "all of them strings" in json.load(caught.value)["error"]


def test_an_unknown_kind_is_refused(server):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server, text="a -> b", kind="animal", preserve="")
    assert "there is no kind 'animal'" in json.load(caught.value)["error"]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset["title"])
def test_a_preset_makes_a_request(preset):
    from erasepro_core import parse_request

    request = parse_request("\n".join(preset["concepts"]), preset["kind"], "\n".join(preset["preserve"]))
    assert len(request.concepts) == len(preset["concepts"])
    assert all(concept.anchor for concept in request.concepts)
    assert all("->" in line for line in preset["concepts"])  # a shipped list never leans on the kind's default


def test_there_is_a_preset_for_nudity_with_aliases_and_a_clothed_anchor():
    (nudity,) = (preset for preset in PRESETS if preset["title"] == "nudity")
    (line,) = nudity["concepts"]
    assert nudity["kind"] == "explicit content"
    assert line.count("|") >= 5
    assert line.endswith("-> a person wearing clothes")
