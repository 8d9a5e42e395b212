"""What ships runs nothing, opens no connection, and shows nobody's text as HTML."""

import ast
import re

import pytest

from tests.pack import ROOT

PYTHON = [ROOT / "__init__.py", *(file for part in ("erasepro_core", "nodes") for file in (ROOT / part).rglob("*.py"))]
RUNS = {
    "pickle",
    "marshal",
    "shelve",
    "subprocess",
    "multiprocessing",
    "pty",
    "ctypes",
    "importlib",
    "runpy",
    "code",
    "pip",
}
CONNECTS = {"socket", "ssl", "http", "urllib", "requests", "httpx", "websocket", "ftplib", "smtplib", "webbrowser"}
FORBIDDEN_MODULES = RUNS | CONNECTS
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "open", "system", "popen", "unlink", "rmtree"}
"""Files are opened by the library that reads tensors, by `Path.open` in container.py, and saved by the host."""
ALLOWED = {
    ("erasepro_core/container.py", "open"),  # reads a file that the user chose, with limits
    ("nodes/host/folders.py", "unlink"),  # removes what it has written itself, when the rest could not be written
}


@pytest.mark.parametrize("file", PYTHON, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_python_runs_text_or_leaves_the_machine(file):
    tree = ast.parse(file.read_text())
    for part in ast.walk(tree):
        if isinstance(part, ast.Import):
            assert not {alias.name.partition(".")[0] for alias in part.names} & FORBIDDEN_MODULES
        if isinstance(part, ast.ImportFrom) and not part.level:
            assert (part.module or "").partition(".")[0] not in FORBIDDEN_MODULES
        if isinstance(part, ast.Call):
            owner = part.func.value if isinstance(part.func, ast.Attribute) else None
            name = getattr(part.func, "attr", getattr(part.func, "id", ""))
            if isinstance(owner, ast.Name) and (owner.id, name) == ("re", "compile"):
                continue
            where = str(file.relative_to(ROOT)), name
            assert name not in FORBIDDEN_CALLS or where in ALLOWED, f"line {part.lineno} calls {name}"


def test_the_check_itself_finds_what_it_forbids():
    found = [part for part in ast.walk(ast.parse("import pickle\neval(x)")) if isinstance(part, (ast.Import, ast.Call))]
    assert len(found) == 2
    assert len(PYTHON) > 50


@pytest.mark.parametrize("file", sorted((ROOT / "web").rglob("*.js")), ids=lambda file: file.name)
def test_the_page_writes_text_as_text_and_asks_only_its_own_server(file):
    code = file.read_text()
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc|javascript:"
    assert not re.search(ways, code)
    assert not re.search(r"XMLHttpRequest|WebSocket|sendBeacon|\bimport\(|https?://(?!www\.w3\.org)", code)
    for address in re.findall(r"(?<!\.)\bfetch\((.*)", code):  # the host's own api.fetchApi stays on the host
        assert address.startswith("new URL(") and "import.meta.url" in address, address
