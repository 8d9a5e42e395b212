"""What named layers get and give during a forward pass; hooks never outlive the pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

OnOutput = Callable[[Tensor, Tensor], Tensor | None]
"""Gets a layer's input and output; what it returns, unless None, takes the output's place."""
OnInput = Callable[[Tensor], None]
"""Gets a layer's input. The host adds to it in place later, so a callback copies what it keeps."""

Columns = tuple[Tensor, Tensor]
"""Row and position of some tokens of a batch, as two index tensors of length n."""


def take(features: Tensor, columns: Columns) -> Tensor:
    """A copy of the features of some tokens as columns, `[d, n]`."""
    rows, positions = (index.to(features.device) for index in columns)
    return features[rows, positions].T


@dataclass(frozen=True)
class CapturedLayer:
    """A layer that is listened to."""

    name: str
    module: nn.Module
    stream: nn.Module | None
    """The module whose input is the residual stream that the layer's output is added to; None where it stands alone."""
    tokens: Columns
    """Where its output is wanted."""


class CaptureError(RuntimeError):
    """A layer that the text encoder went past, so that nothing is known of it."""


OnLayer = Callable[[CapturedLayer, Tensor, Tensor, Tensor], Tensor | None]
"""Gets a layer, its input, its output, and the sum of output and residual stream at the tokens, `[d_out, n]`; may
return another output."""


@contextmanager
def captured(layers: Iterable[CapturedLayer], on_layer: OnLayer) -> Iterator[None]:
    """Calls back at every one of these layers, with the residual stream where there is one.

    Raises:
        CaptureError: the pass is over and a layer did not run.
    """
    streams: dict[str, Tensor] = {}
    ran: set[str] = set()

    def on_stream(layer: CapturedLayer, stream: Tensor) -> None:
        streams[layer.name] = take(stream, layer.tokens)

    def on_output(layer: CapturedLayer, features: Tensor, output: Tensor) -> Tensor | None:
        ran.add(layer.name)
        written = take(output, layer.tokens)
        if layer.stream is not None:
            written = written + streams.pop(layer.name)
        return on_layer(layer, features, output, written)

    layers = list(layers)
    outputs = {layer.module: partial(on_output, layer) for layer in layers}
    inputs = {layer.stream: partial(on_stream, layer) for layer in layers if layer.stream is not None}
    with hooked(outputs, inputs):
        yield
    missed = [layer.name for layer in layers if layer.name not in ran]
    if missed:
        raise CaptureError(
            f"the text encoder ran past {len(missed)} of {len(layers)} layers (the first is {missed[0]}), so they "
            "could not be solved or measured. Something else does their work: a newer ComfyUI, or an extension that "
            "replaces parts of the text encoder. Nothing was changed."
        )


@contextmanager
def hooked(
    outputs: Mapping[nn.Module, OnOutput], inputs: Mapping[nn.Module, OnInput], *, first: bool = False
) -> Iterator[None]:
    """Hooks for the time of the block; gone afterwards, whatever happens in it.

    Modules are shared with every other user of the model, so the block must hold this pass and nothing else.

    Args:
        outputs: called with a module's input and output.
        inputs: called with a module's input.
        first: whether the hooks on outputs run before those that are there already, which see what these return.
    """
    handles = []
    try:
        for module, on_output in outputs.items():
            handles.append(module.register_forward_hook(_output_hook(on_output), prepend=first))
        for module, on_input in inputs.items():
            handles.append(module.register_forward_pre_hook(_input_hook(on_input)))
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def edited(updates: Mapping[nn.Module, Callable[[Tensor], Tensor]], *, first: bool = False) -> Iterator[None]:
    """Adds updates to the outputs of layers for the time of the block: what patches would do, but for their cast.

    Args:
        updates: by layer.
        first: whether hooks that are there already see the outputs with them.
    """

    def adding(update: Callable[[Tensor], Tensor]) -> OnOutput:
        return lambda features, output: output + update(features)

    with hooked({module: adding(update) for module, update in updates.items()}, {}, first=first):
        yield


def _output_hook(call: OnOutput) -> Callable[..., Tensor | None]:
    return lambda module, args, output: call(args[0], output)


def _input_hook(call: OnInput) -> Callable[..., None]:
    return lambda module, args: call(args[0])
