"""What the tests in a real ComfyUI share. It runs every node under inference mode, so what is tested does too."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import pack


@pytest.fixture(scope="session")
def host(comfy_library) -> Any:
    """The pack's bridge to ComfyUI, in this process."""
    return pack.module("nodes.host")


@pytest.fixture(scope="session")
def info(server) -> dict[str, Any]:
    """What the server says of all its nodes."""
    return server.object_info()


@pytest.fixture(autouse=True)
def inference_mode() -> Iterator[None]:
    import torch

    with torch.inference_mode():
        yield
