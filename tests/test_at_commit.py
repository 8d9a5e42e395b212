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
    run = [sys.executable, "-c", code]
    environment = os.environ | {pack.OTHER_TREE: str(tree)}
    return subprocess.run(run, cwd=pack.ROOT, env=environment, capture_output=True, text=True, check=True).stdout


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
