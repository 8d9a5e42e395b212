"""ErasePro for ComfyUI: removes concepts from a loaded text-to-image model in closed form.

Imports without ComfyUI; the host calls `comfy_entrypoint` when it wants the nodes.
"""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    """The extension that ComfyUI registers."""
    from .nodes import ErasePro

    return ErasePro()
