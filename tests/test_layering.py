"""The direction of imports: a file imports only from what stands further right."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

from erasepro_core import CHOICES

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "erasepro_core"
NODES = ROOT / "nodes"
BRIDGE = NODES / "host"

ORDER = (
    ("files", "plots", "grid", "pipeline"),
    ("entries", "layout", "lettering"),
    ("verify", "audit"),
    ("failures", "unchanged"),
    ("report", "probes", "progressive"),
    ("checks", "trials"),
    ("attempts",),
    ("table",),
    ("solution",),
    ("sketch", "original"),
    ("plan",),
    ("roles",),
    ("options", "measure"),
    ("vocabulary",),
    ("spellings", "thesaurus"),
    ("methods", "schedule"),
    ("prompts",),
    ("neighbours",),
    ("encoded",),
    ("path",),
    ("concept_text", "compound"),
    ("families", "neutral", "concept", "container"),
    ("solve", "align", "capture", "conflicts", "kinds", "plain", "progress"),
    ("stays", "marks", "mention", "number", "readers"),
    ("update", "phrase", "texts"),
)
"""Layers of the core from left to right; files of one layer do not import each other."""
BRIDGE_ORDER = (
    ("patches",),
    ("live_path", "rows"),
    ("beside", "tokens", "weights", "folders", "pictures", "progress", "routes", "sampling"),
    ("vocabulary",),
)
"""The same for the files of nodes/host."""
HOST = {"comfy", "comfy_api", "comfy_execution", "comfy_extras", "folder_paths", "nodes", "server", "execution"}


def imports(file: Path) -> list[tuple[int, str]]:
    """(level, module) of every import in a file; a name imported from a package counts as its module."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.level, node.module)] if node.module else [(node.level, a.name) for a in node.names]
    return found


def rank(module: str, order: tuple[tuple[str, ...], ...] = ORDER) -> int:
    return next(index for index, layer in enumerate(order) if module in layer)


def test_every_file_of_the_core_has_its_place():
    files = {path.stem for path in CORE.glob("*.py")} - {"__init__"} | {"families", "texts"}
    assert files == {name for layer in ORDER for name in layer}


@pytest.mark.parametrize("file", sorted(CORE.glob("*.py")), ids=lambda path: path.stem)
def test_the_core_imports_to_the_right(file):
    if file.stem == "__init__":
        return
    for level, module in imports(file):
        if level == 1:
            assert rank(module.split(".")[0]) > rank(file.stem), f"{file.name} imports {module}"


@pytest.mark.parametrize("file", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_the_core_knows_torch_and_nothing_of_the_host(file):
    for level, module in imports(file):
        assert level or module.split(".")[0] not in HOST, f"{file.name} imports {module}"
        assert level < 2 or file.parent != CORE, f"{file.name} reaches out of the core"


@pytest.mark.parametrize("file", sorted(NODES.rglob("*.py")), ids=lambda path: str(path.relative_to(NODES)))
def test_only_nodes_host_touches_the_inside_of_comfyui(file):
    public = {"comfy.model_management", "comfy.model_patcher", "comfy.sd", "comfy.utils"}  # types, progress, interrupt
    for level, module in imports(file):
        if level == 0 and module.split(".")[0] in HOST - {"comfy_api"} and BRIDGE not in file.parents:
            assert module in public, f"{file.name} imports {module}; put it into nodes/host"


def test_every_file_of_the_bridge_has_its_place():
    files = {path.stem for path in BRIDGE.rglob("*.py")} - {"__init__"}
    assert files == {name for layer in BRIDGE_ORDER for name in layer}


@pytest.mark.parametrize("file", sorted(BRIDGE.glob("*.py")), ids=lambda path: path.stem)
def test_the_bridge_imports_to_the_right(file):
    if file.stem == "__init__":
        return
    for level, module in imports(file):
        assert level != 2, f"{file.name} imports {module}: the bridge knows the core and no node"
        if level == 1:
            assert rank(module, BRIDGE_ORDER) > rank(file.stem, BRIDGE_ORDER), f"{file.name} imports {module}"


def test_the_letters_of_the_maths_stay_in_two_files():
    for file in CORE.rglob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)}
        assert file.stem in ("solve", "stays") or not names & set("WXYCNGMQUV"), file.name


def test_the_pack_imports_without_comfyui():
    for level, module in imports(ROOT / "__init__.py"):
        assert level, module  # relative and inside the entry point only
    body = ast.parse((ROOT / "__init__.py").read_text()).body
    assert not [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]


def test_nothing_that_ships_runs_text_as_code_or_opens_a_socket():
    banned = {"subprocess", "socket", "pickle", "ctypes", "urllib", "requests", "importlib"}
    for file in [ROOT / "__init__.py", *CORE.rglob("*.py"), *NODES.rglob("*.py")]:
        assert not banned & {module.split(".")[0] for _, module in imports(file)}, file.name
        called = {getattr(n.func, "id", "") for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)}
        assert not called & {"eval", "exec", "__import__", "print"}, file.name


SHIPPED = sorted([*CORE.rglob("*.py"), *NODES.rglob("*.py")])


def test_a_reader_can_hold_every_file_and_function_in_mind():
    lengths = []
    for file in SHIPPED:
        text = file.read_text()
        assert len(text.splitlines()) <= 300, f"{file.name} is too long for one idea"
        functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
        lengths += [(node.end_lineno or 0) - node.lineno + 1 for node in functions]
    assert max(lengths) <= 60
    assert sorted(lengths)[len(lengths) * 9 // 10] <= 25


def repeated(texts: dict[str, str], length: int = 6) -> list[list[str]]:
    """The places of every run of so many lines that stands more than once; blank lines and white space do not count."""
    places = defaultdict(list)
    for name, text in texts.items():
        lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        for first in range(len(lines) - length + 1):
            run = tuple(line for _, line in lines[first : first + length])
            places[run].append(f"{name}:{lines[first][0]}")
    return [each for each in places.values() if len(each) > 1]


def test_nothing_of_six_lines_stands_twice():
    pages = [file for ending in ("js", "css") for file in (ROOT / "web").rglob(f"*.{ending}")]
    shipped = [ROOT / "__init__.py", *SHIPPED, *pages]
    assert repeated({str(file.relative_to(ROOT)): file.read_text() for file in shipped}) == []
    assert repeated({"one": "a\n\nb\nc\nd\ne\nf", "two": "b\n  a\n  b\n  c\n  d\n  e\n  f"}) == [["one:1", "two:2"]]
    assert repeated({"one": "a\nb\nc\nd\ne\nf", "two": "a\nb\nc\nd\ne\ng"}) == []


def test_names_of_options_stand_where_they_are_given_a_meaning():
    """`progressive` and the like are names for people; everything else works with the objects that they stand for."""
    names = {name for choices in CHOICES.values() for name in choices}
    assert len(names) == 12
    for file in SHIPPED:
        strings = {n.value for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Constant)}
        assert file.stem in ("methods", "schedule") or not (names - {"ErasePro", "off"}) & strings, file.name
