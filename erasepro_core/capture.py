"""Watching and changing what named layers say during a forward pass; hooks never outlive the pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn

OnOutput = Callable[[Tensor, Tensor], Tensor | None]
"""Gets a layer's input and output; what it returns, unless None, takes the output's place."""
OnInput = Callable[[Tensor], None]
"""Gets a layer's input. The host adds to it in place later, so a listener copies what it keeps."""


@contextmanager
def hooked(outputs: Mapping[nn.Module, OnOutput], inputs: Mapping[nn.Module, OnInput]) -> Iterator[None]:
    """Hooks for the time of the block; gone afterwards, whatever happens in it.

    Modules are shared with every other user of the model, so the block must hold this pass and nothing else.
    """
    handles = []
    try:
        for module, on_output in outputs.items():
            handles.append(module.register_forward_hook(_output_hook(on_output)))
        for module, on_input in inputs.items():
            handles.append(module.register_forward_pre_hook(_input_hook(on_input)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _output_hook(call: OnOutput) -> Callable[..., Tensor | None]:
    return lambda module, args, output: call(args[0], output)


def _input_hook(call: OnInput) -> Callable[..., None]:
    return lambda module, args: call(args[0])
