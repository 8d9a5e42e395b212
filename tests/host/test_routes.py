"""What the concept editor is told while someone types, and that every shipped preset is understood."""

import json
import time
import urllib.error
import urllib.request

import pytest

from tests.host.graphs import node, solved
from tests.pack import ROOT

PRESETS = json.loads((ROOT / "web" / "presets.json").read_text())


def ask(server, **body):
    return send(server, json.dumps(body).encode())


def send(server, body, path: str = "/api/erasepro/concepts", **how):
    request = urllib.request.Request(server.url + path, body, **how)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def refused(server, body, path: str = "/api/erasepro/concepts", **how) -> tuple[int, str]:
    """Status and body of a refusal."""
    try:
        send(server, body, path, **how)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()
    raise AssertionError("it was answered")


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


def test_words_that_an_anchor_only_leaves_out_are_named(server):
    lines = ask(server, text="red cup -> a cup\nred cup -> blue cup\n# red cup", kind="object", preserve="")["lines"]
    assert lines["1"]["left_out"] == "red"
    assert "left_out" not in lines["2"] and "left_out" not in lines["3"]


def test_a_text_without_concepts_is_an_error_of_no_line(server):
    answer = ask(server, text="# nothing yet", kind="object", preserve="")
    assert "concept text is empty" in answer["error"]
    assert answer["lines"]["1"]["error"] is None


@pytest.mark.parametrize("body", [{"kind": "object"}, {"text": 3, "kind": "object", "preserve": ""}])
def test_a_malformed_question_is_refused_in_words(server, body):
    code, reason = refused(server, json.dumps(body).encode())
    assert code == 400
    assert "all of them strings" in json.loads(reason)["error"]


def test_an_unknown_kind_is_refused(server):
    body = {"text": "a -> b", "kind": "animal", "preserve": ""}
    assert "there is no kind 'animal'" in refused(server, json.dumps(body).encode())[1]


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


def question(text: str = "a -> b", preserve: str = "") -> bytes:
    return json.dumps({"text": text, "kind": "object", "preserve": preserve}).encode()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"3", b"[]", b"null", question("\ud800 -> b")]
)
def test_what_is_no_question_is_refused_and_no_error_of_the_server(server, body):
    code, reason = refused(server, body)
    assert code == 400
    assert "text, kind and preserve are expected, all of them strings" in reason


def parts():
    """A body that does not say how long it is."""
    yield from (question("x" * 2**16) for _ in range(64))


@pytest.mark.parametrize("body", [question("x" * 2**19), question("a", "x" * 2**19), parts()], ids=["t", "p", "parts"])
def test_a_body_that_is_too_long_is_not_read_to_its_end(server, body):
    code, reason = refused(server, body)
    assert (code, "longer than 262144 bytes" in reason) == (413, True)


@pytest.mark.parametrize("body", [question("a\n" * 5000), question("a", "b\n" * 5000), question("a|" * 5000)])
def test_too_many_rows_are_refused(server, body):
    code, reason = refused(server, body)
    assert (code, "names are too many" in reason) == (413, True)


WORST = {
    "one long word": "x" * 250_000,
    "a thousand concepts": "\n".join(f"name {n} | alias {n} -> thing {n}" for n in range(1000)),
    "many aliases": "|".join(f"{n:x}" for n in range(4000)),
    "brackets": "(" * 120_000 + " -> b",
    "spaces": " " * 125_000 + "a" + " " * 125_000,
    "arrows": "->" * 120_000,
}


@pytest.mark.parametrize("text", WORST.values(), ids=[*WORST])
def test_the_longest_text_that_is_answered_is_answered_in_seconds(server, text):
    began = time.monotonic()
    answer = send(server, question(text))
    assert set(answer) == {"lines", "default_anchor", "error"}
    assert time.monotonic() - began < 30


def test_the_route_reads_and_nothing_else(server):
    def files():
        skipped = "comfyui.log"
        return {file: file.stat().st_mtime_ns for file in server.output.parent.rglob("*") if file.name != skipped}

    before = files()
    ask(server, text="circle -> square", kind="object", preserve="../../x")
    assert files() == before
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        assert refused(server, None, method=method)[0] in (404, 405)


@pytest.mark.parametrize("path", ["../pyproject.toml", "..%2fpyproject.toml", "%2e%2e/pyproject.toml", "//etc/passwd"])
@pytest.mark.parametrize("place", ["/extensions/ErasePro/", "/api/erasepro/", "/erasepro/concepts/"])
def test_no_address_of_the_pack_leads_to_other_files(server, place, path):
    assert refused(server, None, place + path)[0] in (403, 404, 405)


@pytest.mark.parametrize("prefix", ["../../evil", "/tmp/evil", "erasepro/../../../evil", "..\\..\\evil/../../../evil"])
def test_save_writes_nothing_outside_the_output_folder(server, info, prefix):
    save = node("ErasePro_Save", erasure=["solve", 0], filename_prefix=prefix, precision="float16")
    result = server.queue(solved(info) | {"save": save})
    assert result.error
    assert (result.error.node, "outside the output folder" in result.error.message) == ("save", True)
    assert not [file for file in server.output.parent.parent.rglob("*evil*") if server.output not in file.parents]
