"""What the nodes send to the page, and that the page writes nothing down that Python decides."""

import json
import re

import pytest

from erasepro_core import Options, parse_request
from erasepro_core.report import NOT_ERASED
from tests import pack
from tests.pack import ROOT

CODE = {file.name: file.read_text() for file in (ROOT / "web").glob("*.js")}


@pytest.fixture(scope="module")
def report(mini):
    request = parse_request("circle -> square", "object")
    return pack.module("nodes.solve").solve_and_check(*mini[:2], request, Options(templates=2))


def test_the_page_gets_the_limit_of_a_report_from_the_core(report):
    shown = pack.module("nodes.report").ErasureReport.execute(report)
    (figures,) = shown.ui["erasepro_report"]
    assert figures.pop("limit") == NOT_ERASED
    assert json.loads(shown.args[2]) == json.loads(json.dumps(figures))  # the JSON output has the figures only
    assert "limit" in CODE["report.js"]
    assert str(NOT_ERASED) not in CODE["report.js"]


def test_the_panel_of_solve_is_the_panel_of_its_report(mini, report, monkeypatch):
    solve = pack.module("nodes.solve")
    monkeypatch.setattr(solve, "solve_and_check", lambda *_: report)
    shown = solve.Solve.execute(*mini[:2], report.solution.request, *Options().as_dict().values())
    assert shown.ui == pack.module("nodes.report").ErasureReport.execute(report).ui


def test_the_page_attaches_to_nodes_that_exist(info):
    attached = set(re.findall(r"ErasePro_\w+", CODE["erasepro.js"]))
    assert attached
    assert attached <= set(info)


def test_the_page_asks_at_the_address_that_answers():
    (address,) = re.findall(r'fetchApi\("(/erasepro/[^"]+)"', CODE["editor.js"])
    assert f'"{address}"' in (ROOT / "nodes" / "routes.py").read_text()


def test_page_and_core_split_a_line_at_the_same_arrow():
    (arrow,) = re.findall(r'^const ARROW = "(.+)";$', CODE["lines.js"], re.MULTILINE)
    (concept,) = parse_request(f"disc | circle {arrow} square", "object").concepts
    assert (concept.names, concept.anchor) == (("disc", "circle"), "square")
