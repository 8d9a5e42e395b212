"""The models whose text encoder knows English, by the name of the encoder."""

from __future__ import annotations

from collections.abc import Callable

from tests.mini.erased import Subject


def minilm() -> Subject:
    """MiniLM, bidirectional and shallow, in front of a UNet."""
    from tests.words import model

    return Subject(*model.load())


def smollm2() -> Subject:
    """SmolLM2, causal and deep, in front of a random diffusion model, which draws nothing."""
    from tests.causal import model

    return Subject(*model.load(), None)


ENCODERS: dict[str, Callable[[], Subject]] = {each.__name__: each for each in (minilm, smollm2)}
