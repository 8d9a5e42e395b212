"""When there is no browser, the set-up says what is missing and what to do; nothing passes for want of one."""

import os
import shutil

import pytest

from tests.browser import setup
from tests.host.setup import SetupError


@pytest.fixture
def no_browser(monkeypatch):
    """A machine that has apt-get and no browser."""
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "apt-get" else None)


def test_a_browser_that_is_named_is_taken(monkeypatch, tmp_path):
    mine = tmp_path / "my-chrome"
    mine.touch(mode=0o755)
    monkeypatch.setenv("CHROMIUM", str(mine))
    assert setup.browser() == str(mine)
    mine.unlink()
    with pytest.raises(SetupError, match="my-chrome, which cannot be run"):
        setup.browser()


def test_who_is_not_root_is_told_what_root_must_install(no_browser, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SetupError, match="sudo apt-get install chromium"):
        setup.main()


def test_a_machine_without_apt_is_told_to_name_a_browser(no_browser, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SetupError, match=r"name a browser in CHROMIUM(.|\n)*--ignore=tests/browser"):
        setup.main()


def test_root_installs_chromium_once(no_browser, monkeypatch):
    ran = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(setup, "run", lambda command, problem: ran.append(command))
    setup.install(setup.PACKAGES)
    assert ran[0] == ["apt-get", "-qq", "update"]
    assert "chromium" in ran[1]


def test_tests_without_their_set_up_fail_and_say_why(monkeypatch, tmp_path):
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    with pytest.raises(SetupError, match="make browser"):
        setup.node()
