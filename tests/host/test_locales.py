"""Every text of the nodes is there in every language, and what is there belongs to a node."""

import json
import re

import pytest

from erasepro_core import KINDS
from erasepro_core.probes import CHECKED, OWN, UNLISTED
from erasepro_core.progress import Phase
from tests.host.locales import LOCALES, SPECIAL, english
from tests.pack import ROOT

TRANSLATED = ("zh", "ja")


def read(language: str, name: str) -> dict:
    return json.loads((LOCALES / language / f"{name}.json").read_text())


def shape(texts):
    """Keys only, of everything a person reads."""
    if not isinstance(texts, dict):
        return None
    return {key: shape(value) for key, value in texts.items()}


def values(texts):
    for value in texts.values():
        if isinstance(value, dict):
            yield from values(value)
        elif value:
            yield value


def test_english_is_what_the_nodes_themselves_say(server):
    assert read("en", "nodeDefs") == english(server.object_info()), "run: make locales"


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_language_has_the_name_and_tooltip_of_every_input(server, language):
    texts, info = read(language, "nodeDefs"), server.object_info()
    for type, node in english(info).items():
        ours = texts[type]
        assert ours["display_name"], type
        assert ours["description"], type
        assert set(ours["inputs"]) == set(node["inputs"]), type
        assert set(ours["outputs"]) == set(node["outputs"]), type
        assert all(each["name"] and each["tooltip"] for each in ours["inputs"].values()), type


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_text_has_letters_that_the_page_would_not_show(language):
    assert not [text for text in values(read(language, "nodeDefs")) if SPECIAL & set(text)]


@pytest.mark.parametrize("language", TRANSLATED)
def test_all_that_the_pages_own_elements_say_is_translated(language):
    words = read(language, "main")["erasepro"]
    said = {text for file in (ROOT / "web").glob("*.js") for text in re.findall(r'say\("([^"]+)"', file.read_text())}
    presets = json.loads((ROOT / "web" / "presets.json").read_text())
    said |= {preset["title"] for preset in presets} | {preset["kind"] for preset in presets}
    said |= {"target", "aliases", "anchor", "tokens"}  # heads of the editor's columns
    said |= {"drift", "residual", "size", "digest"} | {
        "preserves",
        "related",
        "neighbours",
        "moved most",
        "anchors",
        "neutral",
    }
    said |= {phase.value for phase in Phase}
    said |= {CHECKED, OWN, UNLISTED}.union(*(kind.variations for kind in KINDS))  # the groups of an audit
    assert said <= set(words)
    for text, translation in words.items():
        assert re.findall(r"\{\w+\}", text) == sorted(re.findall(r"\{\w+\}", translation), key=text.index)
