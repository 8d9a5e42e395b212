"""ComfyUI runs every node under inference mode, so what is tested against it does too."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def inference_mode() -> Iterator[None]:
    import torch

    with torch.inference_mode():
        yield
