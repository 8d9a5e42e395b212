"""A small genuine text-to-image model for tests, and the test-only node that loads it in ComfyUI.

`world` needs torch only; `model`, `train`, `sample` and `evaluate` need ComfyUI's folder on the path. The folder is a
package and, linked into ``custom_nodes``, a custom node.
"""


async def comfy_entrypoint():
    """What ComfyUI asks a V3 custom node folder for."""
    from .loader import MiniExtension

    return MiniExtension()
