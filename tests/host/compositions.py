"""Ways to use a MODEL and a CLIP in stock graphs: each draws a name, by itself or among other things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.host.client import ApiGraph
from tests.host.graphs import node

Wire = list[Any]
SIZE = {"width": 128, "height": 128}
SAMPLER = {"seed": 7, "steps": 4, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}


class Branch:
    """Nodes that draw one picture; their ids start with the branch's name, and the last one has it."""

    def __init__(self, name: str, model: Wire, clip: Wire, word: str):
        self.name, self.model, self.clip, self.word = name, model, clip, word
        self.graph: ApiGraph = {}

    def add(self, kind: str, **inputs: Any) -> Wire:
        """A node; its first output."""
        key = f"{self.name} {len(self.graph)}"
        self.graph[key] = node(kind, **inputs)
        return [key, 0]

    def text(self, text: str, clip: Wire | None = None) -> Wire:
        return self.add("CLIPTextEncode", clip=clip or self.clip, text=text)

    def left(self) -> Wire:
        """A mask of the left half."""
        empty, half = self.add("SolidMask", value=0.0, **SIZE), self.add("SolidMask", value=1.0, width=64, height=128)
        return self.add("MaskComposite", destination=empty, source=half, x=0, y=0, operation="add")

    def picture(self, positive: Wire | None = None, latent: Wire | None = None, **sampler: Any) -> None:
        """The sampler and what shows its picture."""
        wires = {
            "model": self.model,
            "positive": positive or self.text(f"a photo of a red {self.word}"),
            "negative": self.text(""),
            "latent_image": latent or self.add("EmptyLatentImage", batch_size=1, **SIZE),
        }
        sampled = self.add("KSampler", **(SAMPLER | wires | sampler))
        self.graph[self.name] = node("PreviewImage", images=self.add("VAEDecode", samples=sampled, vae=["loader", 2]))


def plain(branch: Branch) -> None:
    branch.picture()


def clip_skip(branch: Branch) -> None:
    branch.clip = branch.add("CLIPSetLastLayer", clip=branch.clip, stop_at_clip_layer=-2)
    branch.picture()


def emphasis(branch: Branch) -> None:
    branch.picture(branch.text(f"a (photo:0.8) of a (red {branch.word}:1.4)"))


def several_chunks(branch: Branch) -> None:
    branch.picture(branch.text(f"{', ' * 76}a photo of a red {branch.word}"))


def break_word(branch: Branch) -> None:
    branch.picture(branch.text(f"a photo of a red {branch.word} BREAK on a white background"))


def concatenated(branch: Branch) -> None:
    other, mine = branch.text("on a white background"), branch.text(f"a photo of a red {branch.word}")
    branch.picture(branch.add("ConditioningConcat", conditioning_to=other, conditioning_from=mine))


def averaged(branch: Branch) -> None:
    other, mine = branch.text("on a white background"), branch.text(f"a photo of a red {branch.word}")
    wires = {"conditioning_to": mine, "conditioning_from": other, "conditioning_to_strength": 0.8}
    branch.picture(branch.add("ConditioningAverage", **wires))


def area(branch: Branch) -> None:
    mine = branch.text(f"a photo of a red {branch.word}")
    place = {"width": 64, "height": 128, "x": 0, "y": 0, "strength": 1.0}
    mine = branch.add("ConditioningSetArea", conditioning=mine, **place)
    both = {"conditioning_1": mine, "conditioning_2": branch.text("a photo of a moon")}
    branch.picture(branch.add("ConditioningCombine", **both))


def mask(branch: Branch) -> None:
    mine = branch.text(f"a photo of a red {branch.word}")
    how = {"mask": branch.left(), "strength": 1.0, "set_cond_area": "default"}
    both = {"conditioning_1": branch.add("ConditioningSetMask", conditioning=mine, **how)}
    both["conditioning_2"] = branch.text("a photo of a moon")
    branch.picture(branch.add("ConditioningCombine", **both))


def scheduled(branch: Branch) -> None:
    first, second = branch.text(f"a photo of a red {branch.word}"), branch.text("a photo of a moon")
    early = branch.add("ConditioningSetTimestepRange", conditioning=first, start=0.0, end=0.5)
    late = branch.add("ConditioningSetTimestepRange", conditioning=second, start=0.5, end=1.0)
    branch.picture(branch.add("ConditioningCombine", conditioning_1=early, conditioning_2=late))


def control_net(branch: Branch) -> None:
    """Along the outline of the photo."""
    scaled = branch.add(
        "ImageScale", image=["photo", 0], upscale_method="bilinear", width=64, height=64, crop="disabled"
    )
    hint = branch.add("Canny", image=scaled, low_threshold=0.1, high_threshold=0.2)
    wires = {"positive": branch.text(f"a photo of a red {branch.word}"), "negative": branch.text("")}
    how = {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0}
    controlled = branch.add("ControlNetApplyAdvanced", control_net=["control", 0], image=hint, **wires, **how)
    branch.picture(controlled, negative=[controlled[0], 1])


def image_to_image(branch: Branch) -> None:
    latent = branch.add("VAEEncode", pixels=["photo", 0], vae=["loader", 2])
    branch.picture(latent=latent, denoise=0.8)


def inpaint(branch: Branch) -> None:
    latent = branch.add("VAEEncode", pixels=["photo", 0], vae=["loader", 2])
    branch.picture(latent=branch.add("SetLatentNoiseMask", samples=latent, mask=branch.left()))


def inpaint_from_nothing(branch: Branch) -> None:
    wires = {"pixels": ["photo", 0], "vae": ["loader", 2], "mask": branch.left(), "grow_mask_by": 6}
    branch.picture(latent=branch.add("VAEEncodeForInpaint", **wires))


def batch(branch: Branch) -> None:
    branch.picture(latent=branch.add("EmptyLatentImage", batch_size=3, **SIZE))


def hooked_lora(branch: Branch) -> None:
    """A LoRA in a hook of the CLIP, from full strength at the first step to none at the last."""
    branch.clip = branch.add(
        "SetClipHooks", clip=branch.clip, **_hooks(branch), apply_to_conds=True, schedule_clip=True
    )
    branch.picture()


def hooked_conditioning(branch: Branch) -> None:
    positive = branch.text(f"a photo of a red {branch.word}")
    how = {"strength": 1.0, "set_cond_area": "default"}
    branch.picture(branch.add("ConditioningSetProperties", cond_NEW=positive, **_hooks(branch), **how))


def _hooks(branch: Branch) -> dict[str, Wire]:
    hook = branch.add("CreateHookLora", lora_name="other.safetensors", strength_model=1.0, strength_clip=1.0)
    ramp = {"strength_start": 1.0, "strength_end": 0.0, "interpolation": "linear", "keyframes_count": 3}
    ramp |= {"start_percent": 0.0, "end_percent": 1.0, "print_keyframes": False}
    frames = branch.add("CreateHookKeyframesInterpolated", **ramp)
    return {"hooks": branch.add("SetHookKeyframes", hooks=hook, hook_kf=frames)}


def lora(branch: Branch) -> None:
    file = {"lora_name": "other.safetensors", "strength_model": 1.0, "strength_clip": 1.0}
    both = branch.add("LoraLoader", model=branch.model, clip=branch.clip, **file)
    branch.model, branch.clip = both, [both[0], 1]
    branch.picture()


ALL: dict[str, Callable[[Branch], None]] = {
    use.__name__: use
    for use in (
        plain, lora, clip_skip, emphasis, several_chunks, break_word, concatenated, averaged, area, mask, scheduled,
        hooked_lora, hooked_conditioning, control_net, image_to_image, inpaint, inpaint_from_nothing, batch,
    )
}  # fmt: skip
