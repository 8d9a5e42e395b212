"""The page in a real browser: both designs of the frontend that ComfyUI brings, and of a newer one."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.setup import browser
from tests.host.server import comfyui
from tests.pack import ROOT

HERE = Path(__file__).parent
TIMEOUT = 570  # seconds; below pytest's own


@pytest.fixture(scope="module", params=["frontend of the host", "newer frontend"])
def url(request, tmp_path_factory) -> Iterator[str]:
    """A server of its own: these tests store settings and workflows, and need no other test's results."""
    frontend = ROOT / "build" / "frontend" if request.param == "newer frontend" else None
    with comfyui(tmp_path_factory.mktemp("browser"), frontend=frontend) as url:
        yield url


@pytest.mark.parametrize("design", ["classic", "Nodes 2.0"])
def test_people_see_and_do_what_they_should(url, design, tmp_path):
    shots = ROOT / "build" / "screenshots" / tmp_path.name
    shots.mkdir(parents=True, exist_ok=True)
    run_node("ui.test.mjs", COMFYUI_URL=url, NODES_2=str(design == "Nodes 2.0").lower(), SHOTS=str(shots))


def test_rows_and_text_of_the_editor_stand_for_each_other():
    run_node("lines.test.mjs")


def run_node(name: str, **variables: str) -> None:
    environment = {**os.environ, **variables, "CHROMIUM": browser() or ""}
    command = ["node", "--test", "--test-reporter=spec", str(HERE / name)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
    assert finished.returncode == 0, f"\n{finished.stdout[-12000:]}\n{finished.stderr[-2000:]}"
