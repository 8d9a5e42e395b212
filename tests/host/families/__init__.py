"""Tiny models of every family, of the host's own classes, and what is solved on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch

from erasepro_core import Options, neighbours, parse_request, prompts, spellings
from erasepro_core.schedule import Schedule

REQUEST = parse_request("circle -> square", "object", "star")
ALL_DIRECTIONS = Options(templates=2, tolerance=1.0, own_tokens=False, forms=False)
"""Random features have no words that mean nearly the same, so no direction is too dear to be corrected, and a plural
would be one more name in layers that are narrow."""
EXACT = replace(ALL_DIRECTIONS, tolerance=10.0)
"""The same with the largest tolerance that Solve offers: what can be corrected is, whatever that costs."""


@contextmanager
def quick() -> Iterator[None]:
    """One thread, since threads mostly wait for each other in models so small, and fewer everyday prompts."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prompts, "FIT_PROMPTS", prompts.FIT_PROMPTS[:24])
        patch.setattr(prompts, "PROBE_PROMPTS", prompts.PROBE_PROMPTS[:8])
        patch.setattr(prompts, "LONG_PROMPTS", prompts.LONG_PROMPTS[:2])
        patch.setattr(neighbours, "CANDIDATES", 24)
        patch.setattr(neighbours, "COUNT", 8)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


@contextmanager
def every_layer() -> Iterator[None]:
    """Solves from the first block on, without trials of other start depths: every layer that can change does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Schedule, "starts", lambda self, encoders, without_encoders: [0])
        yield


@contextmanager
def one_case() -> Iterator[None]:
    """Solves on names as they are listed: test_spellings.py has their other cases."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spellings, "cases", lambda name: [])
        yield
