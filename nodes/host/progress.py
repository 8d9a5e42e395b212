"""How far a node is, on the host's bar and on the node's panel; and whether the user has stopped the run."""

from __future__ import annotations

from dataclasses import replace

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar
from comfy_execution.utils import get_executing_context

from ...erasepro_core.progress import Phase, Progress

EVENT = "erasepro.progress"
"""What the page listens to (web/panel.js)."""


class Meter:
    """Takes the progress of one run of one node."""

    def __init__(self) -> None:
        self._bar = ProgressBar(1)
        self._last = Progress(Phase.READING, 0, 1)

    def __call__(self, progress: Progress) -> None:
        """Shows the progress.

        Raises:
            InterruptProcessingException: the user has stopped the run.
        """
        throw_exception_if_processing_interrupted()
        _tell_the_page(progress)
        self._last = progress
        self._bar.update_absolute(progress.done, progress.total)

    def now(self, phase: Phase) -> None:
        """Shows another phase, and as many steps as before: the bar does not go back."""
        self(replace(self._last, phase=phase, layer=""))


def _tell_the_page(progress: Progress) -> None:
    """The phase and the layer, which the host's own progress does not carry. Without a host there is nobody to tell."""
    context = get_executing_context()
    if context is None:
        return
    from server import PromptServer  # exists in ComfyUI's own process only

    figures = {"phase": progress.phase.value, "layer": progress.layer, "value": progress.done, "max": progress.total}
    PromptServer.instance.send_sync(EVENT, {"node": context.node_id} | figures, PromptServer.instance.client_id)
