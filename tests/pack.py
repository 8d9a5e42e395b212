"""How a process that is not ComfyUI imports the pack, its core and ComfyUI's own modules, each exactly once.

ComfyUI and the repository both have a top-level `nodes` and `tests`, and the repository root is itself a package, under
whatever name its folder has. So ComfyUI stands first on sys.path and the root last (`import nodes` is ComfyUI's), and
the pack is loaded by path, as `erasepro_pack`.

Where the environment names another tree in ERASEPRO_TREE, pack and core are that tree's; all else stays this one's.
"""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COMFYUI = ROOT / "build" / "ComfyUI"
PACK = "erasepro_pack"
CORE = "erasepro_core"
OTHER_TREE = "ERASEPRO_TREE"
DEVICE = "DEVICE"
SOURCE = Path(os.environ.get(OTHER_TREE) or ROOT)
"""Where pack and core are."""


def encoder_folder(name: str) -> Path:
    """Where set-up put a pretrained text encoder.

    Raises:
        FileNotFoundError: set-up has not been run since the encoder became part of it.
    """
    folder = ROOT / "build" / name
    if not (folder / "model.safetensors").exists():
        raise FileNotFoundError(f"No text encoder was found in {folder}. Run `make setup` first.")
    return folder


def prepare() -> None:
    """Orders sys.path as described above and makes `erasepro_pack` importable; calling again changes nothing.

    Raises:
        RuntimeError: the set-up has not been run.
    """
    if not (COMFYUI / "comfy").is_dir():
        raise RuntimeError(f"No ComfyUI was found at {COMFYUI}. Run `make setup` in {ROOT} first.")
    importlib.import_module("tests")  # keeps the name ours: ComfyUI's own tests come first on the path from here on
    ours = {"", str(ROOT), str(COMFYUI)}
    sys.path[:] = [str(COMFYUI), *(entry for entry in sys.path if entry not in ours), str(ROOT)]
    if not any(isinstance(finder, _PackFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _PackFinder())


def comfy_on_cpu() -> None:
    """Imports ComfyUI as a library, on the CPU."""
    _comfy("--cpu")


def comfy_where_asked() -> None:
    """Imports ComfyUI as a library: on the GPU where the environment says DEVICE=cuda, else on the CPU.

    Raises:
        ValueError: DEVICE is something else.
    """
    asked = os.environ.get(DEVICE) or "cpu"
    if asked not in ("cpu", "cuda"):
        raise ValueError(f"{DEVICE} is {asked!r}; it can be cpu or cuda.")
    _comfy(*([] if asked == "cuda" else ["--cpu"]))


def _comfy(*words: str) -> None:
    """Imports ComfyUI with some options.

    They are read from sys.argv, once, when `comfy.cli_args` is first imported, if parsing was enabled before.
    """
    prepare()
    options = importlib.import_module("comfy.options")
    with _argv("comfy", *words):
        options.enable_args_parsing()
        importlib.import_module("comfy.cli_args")
    importlib.import_module("comfy.sd")


def module(name: str) -> Any:
    """A module of the pack, such as `nodes.host`, once ComfyUI's modules can be imported."""
    return importlib.import_module(f"{PACK}.{name}")


@contextlib.contextmanager
def _argv(*words: str) -> Iterator[None]:
    before = sys.argv
    sys.argv = list(words)
    try:
        yield
    finally:
        sys.argv = before


class _PackFinder(importlib.abc.MetaPathFinder):
    """Finds `erasepro_pack` and `erasepro_core`, and lets `erasepro_pack.erasepro_core...` be `erasepro_core...`.

    The nodes import the core relatively and the tests by name. Two copies would be two classes: an Erasure made by the
    one would not be an Erasure to the other.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        folder = {PACK: SOURCE, CORE: SOURCE / CORE}.get(fullname)
        if folder:
            return importlib.util.spec_from_file_location(
                fullname, folder / "__init__.py", submodule_search_locations=[str(folder)]
            )
        if fullname == f"{PACK}.{CORE}" or fullname.startswith(f"{PACK}.{CORE}."):
            return importlib.machinery.ModuleSpec(fullname, _SameModule(fullname.removeprefix(f"{PACK}.")))
        return None


class _SameModule(importlib.abc.Loader):
    """Answers an import with a module that already has another name."""

    def __init__(self, name: str):
        self.module = importlib.import_module(name)
        self.spec = self.module.__spec__

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # the import system has just replaced it by the alias's
