"""Pieces of graphs in API form, for tests that queue them in a real ComfyUI."""

from typing import Any

from PIL import Image, ImageFont

from tests import pack
from tests.host import demo
from tests.host.client import ApiGraph, Client

PROMPT = "a photo of a red circle"
TEMPLATES = 4


def solved(info: dict[str, Any], text: str = "circle | disc -> square", **options: Any) -> ApiGraph:
    """Loader, Define Concepts, Solve and Apply, on the mini model."""
    graph = demo.evaluation_graph(info, "object", "ErasePro")
    del graph["evaluate"]
    graph["define0"]["inputs"] |= {"text": text, "everyday": "", "preserve": "triangle\nring"}
    graph["solve"]["inputs"] |= {"templates": TEMPLATES} | options
    return graph


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def with_picture(
    graph: ApiGraph,
    name: str,
    model: list[Any],
    clip: list[Any],
    prompt: str = PROMPT,
    negative: str = "",
    steps: int = 6,
    loader: str = "loader",
) -> ApiGraph:
    """The graph with a picture of `prompt` by a MODEL and a CLIP, shown by the node `name`."""
    sampler = {"seed": 7, "steps": steps, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    wires = {"positive": [f"{name} text", 0], "negative": [f"{name} negative", 0]}
    return graph | {
        f"{name} latent": node("EmptyLatentImage", width=128, height=128, batch_size=1),
        f"{name} text": node("CLIPTextEncode", clip=clip, text=prompt),
        f"{name} negative": node("CLIPTextEncode", clip=clip, text=negative),
        f"{name} sampler": node("KSampler", model=model, latent_image=[f"{name} latent", 0], **sampler, **wires),
        f"{name} pixels": node("VAEDecode", samples=[f"{name} sampler", 0], vae=[loader, 2]),
        name: node("PreviewImage", images=[f"{name} pixels", 0]),
    }


def pictures(server: Client, graph: ApiGraph, *names: str) -> list[bytes]:
    """The pictures that some nodes of one run show."""
    result = server.queue(graph).checked()
    return [server.image(result.images[name][0]).convert("RGB").tobytes() for name in names]


def distance(one: bytes, other: bytes) -> float:
    """Mean absolute difference of two pictures, 0 to 1."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one) / 255


def cell(sheet: Image.Image, row: int) -> bytes:
    """The first picture of a row of Compare Erasure's grid (0 before, 1 after), as the mini model drew it."""
    grid = pack.module("erasepro_core.grid")
    font, size = ImageFont.load_default(13), grid.LEAST
    x, y = round(font.getlength("before")) + 2 * grid.GAP, round(13 * 1.5) + grid.GAP + row * (size + grid.GAP)
    return sheet.crop((x, y, x + size, y + size)).resize((16, 16), Image.Resampling.NEAREST).tobytes()
