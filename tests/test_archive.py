"""The archive that the registry hands out holds all that the nodes need, and nothing of the tests.

`comfy node pack` puts in what git tracks, less what .comfyignore names, by the rules of .gitignore.
"""

import json
import re
import subprocess

from tests.host.server import SHIPPED
from tests.pack import ROOT

PAPERS = {"CHANGELOG.md", "LICENSE", "README.md", "requirements.txt"}


def listed(*words: str) -> set[str]:
    """Files that git tracks."""
    found = subprocess.run(["git", "-C", ROOT, "ls-files", *words], capture_output=True, text=True, check=True)
    return set(found.stdout.splitlines())


def archive() -> set[str]:
    return listed() - listed("--cached", "--ignored", f"--exclude-from={ROOT / '.comfyignore'}")


def test_the_archive_holds_what_the_host_tests_run_on_and_a_few_papers():
    assert archive() == listed(*SHIPPED) | PAPERS
    assert listed() - archive()  # the repository has more


def test_every_help_page_and_its_pictures_are_in_the_archive():
    """A rule that names docs/ without a leading slash would take web/docs/ out."""
    shipped, nodes = archive(), json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text())
    assert {f"web/docs/{node}.md" for node in nodes} <= shipped
    pictures = re.findall(
        r"\]\((images/.+?)\)", "".join((ROOT / "web" / "docs" / f"{n}.md").read_text() for n in nodes)
    )
    assert {f"web/docs/{picture}" for picture in pictures} <= shipped
    assert len(pictures) >= len(nodes)


def test_no_test_is_in_the_archive():
    assert any("test" in path for path in listed())
    assert not [path for path in archive() if "test" in path.lower()]
