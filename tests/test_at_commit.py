"""An earlier commit is measured by its own code, in today's tests, and leaves nothing behind."""

import os
import subprocess
import sys

import pytest

from benchmarks import at_commit
from tests import pack

SAY = """
from tests import pack
pack.prepare()
import erasepro_core, {name} as named
print(erasepro_core.__file__, named.__file__)
"""


def said(code, tree):
    return output(code, {pack.OTHER_TREE: str(tree)})


def output(code, environment):
    run = [sys.executable, "-c", code]
    whole = os.environ | environment
    return subprocess.run(run, cwd=pack.ROOT, env=whole, capture_output=True, text=True, check=True).stdout


def make_tree(folder):
    """The least that counts as another tree of this pack."""
    for package in ("", "erasepro_core", "tests", "benchmarks"):
        (folder / package).mkdir(exist_ok=True)
        (folder / package / "__init__.py").touch()
    return folder


@pytest.mark.parametrize("ours", ["tests.pack", "benchmarks.at_commit"])
def test_pack_and_core_are_the_other_trees_and_all_else_is_ours(tmp_path, ours):
    core, module = said(SAY.format(name=ours), make_tree(tmp_path)).split()
    assert core == str(tmp_path / "erasepro_core" / "__init__.py")
    assert module.startswith(f"{pack.ROOT}{os.sep}")
    file = said(SAY.format(name=pack.PACK), tmp_path).split()[1]
    assert file == str(tmp_path / "__init__.py")


def test_without_another_tree_all_is_ours():
    core, _ = said(SAY.format(name="tests.pack"), "").split()
    assert core == str(pack.ROOT / "erasepro_core" / "__init__.py")


def test_a_checkout_has_the_commits_files_and_goes():
    with at_commit.checkout("HEAD") as tree:
        assert (tree / "erasepro_core" / "solve.py").exists()
    assert not tree.exists()


def test_a_commit_that_does_not_exist_is_named():
    with (
        pytest.raises(ValueError, match=r"has no commit 'no-such-commit'\. Name one that `git log` shows"),
        at_commit.checkout("no-such-commit"),
    ):
        pass


def test_a_folder_with_a_commits_files_is_copied_and_stays(tmp_path):
    make_tree(tmp_path)
    for left_out in ("build", ".git"):
        (tmp_path / left_out).mkdir()
    with at_commit.checkout(str(tmp_path)) as tree:
        assert (tree / "erasepro_core" / "__init__.py").exists()
        assert not (tree / "build").exists() and not (tree / ".git").exists()
        (tree / "build").mkdir()
    assert not tree.exists()
    assert (tmp_path / "erasepro_core" / "__init__.py").exists()


@pytest.mark.parametrize("device", ["", "cpu"])
def test_comfyui_runs_on_the_cpu_unless_a_gpu_is_asked_for(device):
    code = "from tests import pack; pack.comfy_where_asked(); import comfy.cli_args; print(comfy.cli_args.args.cpu)"
    assert output(code, {pack.DEVICE: device}) == "True\n"


def test_comfyui_chooses_its_device_where_a_gpu_is_asked_for():
    pick = "pack._comfy = lambda *words: print(list(words))"
    code = f"from tests import pack; {pick}; pack.comfy_where_asked()"
    assert output(code, {pack.DEVICE: "cuda"}) == "[]\n"


def test_another_device_is_refused():
    code = "from tests import pack\ntry:\n pack.comfy_where_asked()\nexcept ValueError as error:\n print(error)"
    assert output(code, {pack.DEVICE: "tpu"}) == "DEVICE is 'tpu'; it can be cpu or cuda.\n"
