"""Gets what the browser tests need, besides tests/host/setup.py: Chromium, playwright-core, and a newer frontend.

    CHROMIUM   your own Chromium or Chrome, instead of Debian's

Links playwright-core to tests/browser/node_modules and the newer frontend to build/frontend; both live in the cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.host.setup import ROOT, SetupError, cache, cache_key, once, pip, replace_link, run, say

FRONTEND = "comfyui-frontend-package==1.58.1"
"""Newer than the one that comes with the ComfyUI of the tests: its page must work too."""
PACKAGE = ROOT / "tests" / "browser" / "package.json"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NODE = (20, 19)
"""The first Node.js that imports the pack's files without being told that they are modules."""
WITHOUT = "All other tests run without it: build/venv/bin/python -m pytest --ignore=tests/browser"


def main() -> None:
    """Sets up and prints what it does; the second run only checks."""
    missing = [] if browser() else ["chromium", "fonts-liberation"]
    missing += [name for name, program in (("nodejs", "node"), ("npm", "npm")) if not shutil.which(program)]
    if missing:
        install(missing)
    require_node(run(["node", "--version"], "node could not be run."))
    modules = once(cache() / f"playwright-{cache_key(PACKAGE.read_text())}", fetch_playwright)
    frontend = once(cache() / f"frontend-{cache_key(FRONTEND)}", fetch_frontend)
    replace_link(PACKAGE.parent / "node_modules", modules / "node_modules")
    replace_link(ROOT / "build" / "frontend", frontend / "static")
    say(f"browser tests are ready ({browser()})")


def browser() -> str | None:
    """The browser to test with, if there is one.

    Raises:
        SetupError: CHROMIUM names something that cannot be run.
    """
    named = os.environ.get("CHROMIUM")
    if named and not shutil.which(named):
        raise SetupError(f"CHROMIUM names {named}, which cannot be run. Give the path of a Chromium or Chrome.")
    return named or next(filter(None, map(shutil.which, BROWSERS)), None)


def install(packages: list[str]) -> None:
    """Installs Debian packages.

    Raises:
        SetupError: this is no Debian, the user is not root, or apt failed.
    """
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise SetupError(f"The browser tests need {names}. Install them, or name a browser in CHROMIUM.\n{WITHOUT}")
    if os.geteuid() != 0:
        raise SetupError(
            f"The browser tests need {names}, and only root may install them.\n"
            f"Run: sudo apt-get install {names}\nThen run the same command again; or name a browser in CHROMIUM.\n"
            f"{WITHOUT}"
        )
    say(f"installing {names} for the browser tests")
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        run(["apt-get", "-qq", *words], f"apt-get {words[0]} failed, so there is no {names}.\n{WITHOUT}")


def require_node(version: str) -> None:
    """Raises SetupError when Node.js is too old; `version` is such as `v20.19.1`."""
    numbers = tuple(map(int, version.strip().lstrip("v").split(".")[:2]))
    if numbers < NODE:
        raise SetupError(f"Node.js is {version.strip()}; {NODE[0]}.{NODE[1]} or newer is expected.\n{WITHOUT}")


def fetch_playwright(folder: Path) -> None:
    """Puts playwright-core at `folder/node_modules`."""
    say("downloading playwright-core")
    shutil.copy(PACKAGE, folder)
    problem = f"npm could not get playwright-core. Check the network and npm's settings.\n{WITHOUT}"
    run(["npm", "install", "--prefix", folder, "--no-package-lock", "--no-audit", "--no-fund"], problem)


def fetch_frontend(folder: Path) -> None:
    """Puts the newer frontend's files at `folder/static`."""
    say(f"downloading {FRONTEND}")
    pip(ROOT / "build" / "venv" / "bin" / "python", folder, "download", "--no-deps", "--dest", folder, FRONTEND)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = [name for name in archive.namelist() if "/static/" in name]
        archive.extractall(folder, inside)
    (folder / inside[0].split("/")[0] / "static").rename(folder / "static")
    wheel.unlink()


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(f"setup: {error}")
    except (KeyboardInterrupt, subprocess.SubprocessError):
        sys.exit("setup: interrupted; the same command starts over where that is needed")
