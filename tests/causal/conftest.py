"""The modules of this model import ComfyUI as they are loaded, so it must be ready before collection."""

from tests import pack

pack.comfy_on_cpu()
