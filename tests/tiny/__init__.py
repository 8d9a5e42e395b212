"""A custom node for tests: the tiny model of a family, in a running ComfyUI."""


async def comfy_entrypoint():
    """What ComfyUI asks a V3 custom node folder for."""
    from .loader import TinyExtension

    return TinyExtension()
