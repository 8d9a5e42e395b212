"""Pictures as outputs of a node, or the reason why there is none."""

from __future__ import annotations

import logging
from collections.abc import Callable

from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...erasepro_core.plots import PlotError

log = logging.getLogger("erasepro")


def picture_or_reason(draw: Callable[[], Tensor]) -> Tensor | ExecutionBlocker:
    """The picture that `draw` returns. Without matplotlib, the host shows the reason on each node that wants it."""
    try:
        return draw()
    except PlotError as reason:
        log.warning("%s", reason)
        return ExecutionBlocker(str(reason))
