"""Fixtures for every test; tests/pack.py says how the modules are found."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests import pack

if TYPE_CHECKING:
    from tests.host.client import Client

pack.prepare()


@pytest.fixture(scope="session")
def comfy_library() -> None:
    """ComfyUI's modules, ready to import in this process, on the CPU."""
    pack.comfy_on_cpu()


@pytest.fixture(scope="session")
def diffusers_library(comfy_library) -> None:
    """diffusers, ready to import. It stands last on the path: nothing of it may replace a package of the host's."""
    sys.path.append(str(pack.ROOT / "build" / "diffusers"))


@pytest.fixture(scope="session")
def mini(comfy_library):
    """The mini model: what `tests.mini.model.load()` returns. Shared by all tests, so clone before patching."""
    from tests.mini import model

    return model.load()


@pytest.fixture(scope="session")
def words(comfy_library):
    """The model of real words, and the core told of its family. Shared by all tests, so clone before patching."""
    from tests.words import family, model

    with family.known():
        yield model.load()


@pytest.fixture(scope="session")
def causal(comfy_library):
    """A MODEL and a CLIP whose encoder is SmolLM2, and the core told of their family. Clone before patching."""
    from tests.causal import model
    from tests.words import family

    with family.known():
        yield model.load()


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> "Iterator[Client]":
    """A client of a real ComfyUI process that has the pack and the mini model; one process for the whole run.

    Its folder, with comfyui.log, stays where pytest keeps temporary folders.
    """
    from tests.host.client import Client
    from tests.host.server import comfyui

    folder = tmp_path_factory.mktemp("comfyui")
    with comfyui(folder) as url:
        yield Client(url, folder / "output")
