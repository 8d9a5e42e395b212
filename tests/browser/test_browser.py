"""The page in a real browser: both designs of the frontend that ComfyUI brings, and of a newer one."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.setup import browser, node
from tests.host.server import comfyui
from tests.pack import ROOT

HERE = Path(__file__).parent
TIMEOUT = 1200
"""Seconds; a minute and a half on two idle cores, and many times that where others compute as well."""


@pytest.fixture(scope="module", params=["frontend of the host", "newer frontend"])
def frontend(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def url(frontend, tmp_path_factory) -> Iterator[str]:
    """A server of its own: these tests store settings and workflows, and need no other test's results."""
    page = ROOT / "build" / "frontend" if frontend == "newer frontend" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # the browser needs a core; threads that wait for it slow each other down
        with comfyui(tmp_path_factory.mktemp("browser"), frontend=page) as url:
            yield url


@pytest.mark.timeout(TIMEOUT + 60)
@pytest.mark.parametrize("design", ["classic", "Nodes 2.0"])
def test_people_see_and_do_what_they_should(url, frontend, design):
    shots = ROOT / "build" / "screenshots" / f"{frontend}, {design}"
    shots.mkdir(parents=True, exist_ok=True)
    modes = {"NODES_2": str(design == "Nodes 2.0").lower(), "APP_MODE": str(frontend == "newer frontend").lower()}
    run_node("ui.test.mjs", COMFYUI_URL=url, SHOTS=str(shots), **modes)


def test_rows_and_text_of_the_editor_stand_for_each_other():
    run_node("lines.test.mjs")


def run_node(name: str, **variables: str) -> None:
    environment = {**os.environ, **variables, "CHROMIUM": browser() or ""}
    command = [str(node()), "--test", "--test-reporter=spec", str(HERE / name)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
    assert finished.returncode == 0, f"\n{finished.stdout[-12000:]}\n{finished.stderr[-2000:]}"
    assert "the console has no error of ours" in finished.stdout or name != "ui.test.mjs"  # it ran to its last test
