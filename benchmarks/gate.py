"""Does it suffice to change the first linear that reads the text? What pictures and prompts feel behind it.

`python -m benchmarks.gate` prints two tables for tiny random models: families whose blocks read text and picture in one
stream, and SDXL. The first follows the picture's own tokens through the first three blocks of one step of sampling. The
second solves the same edit inside the first joint block instead, as closed-form edits of attention do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from tests import pack

pack.comfy_on_cpu()

from erasepro_core import Options  # noqa: E402
from erasepro_core.encoded import encode_prompts, matched  # noqa: E402
from erasepro_core.measure import drift, weight_pairs  # noqa: E402
from erasepro_core.methods import RTOL, Where  # noqa: E402
from erasepro_core.neutral import FIT_PROMPTS  # noqa: E402
from erasepro_core.solve import zero_residual_factor  # noqa: E402
from erasepro_core.stays import Stays  # noqa: E402
from tests.host.families import REQUEST, quick  # noqa: E402
from tests.host.families.models import MODELS  # noqa: E402

BLOCKS = {
    "sdxl": ("input_blocks.3.1", "middle_block.1", "output_blocks.0.1"),
    "flux": ("double_blocks.0", "single_blocks.0", "single_blocks.1"),
    "flux2": ("double_blocks.0", "single_blocks.0", "single_blocks.1"),
    "z_image": ("layers.0", "layers.1", "layers.2"),
    "qwen_image": ("transformer_blocks.0", "transformer_blocks.1", "transformer_blocks.2"),
}
"""The first blocks in which the picture meets the text."""
JOINT = {"flux": "single_blocks.0.linear1", "flux2": "single_blocks.0.linear1", "z_image": "layers.0.attention.qkv"}
"""The first linear that reads text and picture together."""
ORDINARY = FIT_PROMPTS[100:116]
"""Prompts that took no part in the solve."""
TARGET, ANCHOR = "a photo of a circle", "a photo of a square"


def main() -> None:
    """Prints both tables."""
    print("| family | changed | drift at the gate | ordinary prompts, block 1, 2, 3 | target, block 1, 2, 3 |")
    print("| --- | --- | --- | --- | --- |")
    for name in BLOCKS:
        model, clip = MODELS[name]()
        for where in (Where.BOTH, Where.CROSS_ATTENTION):
            gate, ordinary, target = through_the_blocks(name, model, clip, where)
            print(f"| {name} | {where.value} | {gate:.3f} | {figures(ordinary)} | {figures(target)} |", flush=True)
    print("\n| family | an edit of | moves text of ordinary prompts | moves their pictures |")
    print("| --- | --- | --- | --- |")
    for name, layer in JOINT.items():
        words, picture = inside_the_block(name, layer, *MODELS[name]())
        print(f"| {name} | `{layer}` | {words:.3f} | {picture:.3f} |", flush=True)


def figures(values: Sequence[float]) -> str:
    """Numbers for a cell."""
    return ", ".join(f"{value:.3f}" for value in values)


def through_the_blocks(name: str, model: Any, clip: Any, where: Where) -> tuple[float, list[float], list[float]]:
    """How far the picture's tokens move, as a share of what the prompt does to them, block by block.

    Returns:
        Drift of ordinary prompts in the linears that read the text; of their pictures
        `|after - before| / |before - empty|`; and of the target in a sentence that was solved
        `|after - anchor| / |before - anchor|`.
    """
    solve, host = pack.module("nodes.solve"), pack.module("nodes.host")
    report = solve.solve_and_check(model, clip, REQUEST, Options(templates=2, tolerance=1.0, where=where))
    edited = host.with_erasure(model, clip, report.solution.updates, 1.0)

    paths = [host.HostPath(*pair) for pair in ((model, clip), edited)]
    before, after = (encode_prompts(path, ORDINARY) for path in paths)
    gate = float(drift(ORDINARY, before, after, weight_pairs(paths[0], paths[1])).mean())
    pair = matched(paths[0], REQUEST.pairs(2, paths[0].family.long_prompts))[0][0]

    def pictures(models: tuple[Any, Any], prompt: str) -> list[Tensor]:
        seen = one_step(*models, prompt, BLOCKS[name])
        return [of_the_picture(seen[block], name) for block in BLOCKS[name]]

    empty, anchor = pictures((model, clip), ""), pictures((model, clip), pair.anchor_prompt)
    shares = []
    for prompt in ORDINARY:
        before, after = pictures((model, clip), prompt), pictures(edited, prompt)
        shares.append([ratio(a - b, b - e) for a, b, e in zip(after, before, empty, strict=True)])
    before, after = pictures((model, clip), pair.target_prompt), pictures(edited, pair.target_prompt)
    left = [ratio(a - y, b - y) for a, b, y in zip(after, before, anchor, strict=True)]
    return gate, [fmean(each) for each in zip(*shares, strict=True)], left


def inside_the_block(name: str, layer: str, model: Any, clip: Any) -> tuple[float, float]:
    """How far an edit of a joint layer, exact on the target's words and least on the others', moves everything else.

    Returns:
        `|U x| / |W x|` over the words of ordinary prompts, and over the tokens of their pictures.
    """
    seen = {
        prompt: one_step(model, clip, prompt, (layer,), inputs=True)[layer]
        for prompt in (*ORDINARY, TARGET, ANCHOR, "")
    }
    tokens = min(seen[TARGET].shape[0], seen[ANCHOR].shape[0]) - picture_tokens(name)
    words = {prompt: x[: -picture_tokens(name)] for prompt, x in seen.items()}
    weight = model.model.get_submodule(f"diffusion_model.{layer}").weight.float()
    target, anchor = words[TARGET][-tokens:].T, words[ANCHOR][-tokens:].T
    neutral = torch.cat([words[prompt] for prompt in ORDINARY[:8]]).T
    stays = Stays.of(None, [(neutral, 1.0), (words[""].T, 1.0)], like=target)
    concept = torch.zeros(tokens, dtype=torch.long)
    factor = zero_residual_factor(target, stays, concept=concept, rtol=RTOL, max_cost=1.0)
    update = factor.update(weight @ (anchor - target))
    moved = [
        [ratio(update(x), x @ weight.T) for x in (words[p], seen[p][-picture_tokens(name) :])] for p in ORDINARY[8:]
    ]
    of_words, of_pictures = zip(*moved, strict=True)
    return fmean(of_words), fmean(of_pictures)


def one_step(model: Any, clip: Any, prompt: str, names: Sequence[str], inputs: bool = False) -> Mapping[str, Any]:
    """What some modules of the diffusion model give, or get, in the first step of sampling."""
    import comfy.sample

    seen: dict[str, Any] = {}

    def kept(name: str) -> Callable[..., None]:
        def keep(module: object, given: Any, output: Any) -> None:
            seen.setdefault(name, given[0] if inputs else output)

        return keep

    latent = model.model.latent_format
    video = (1,) if latent.latent_dimensions == 3 else ()
    noise = torch.randn(1, latent.latent_channels, *video, 8, 8, generator=torch.Generator().manual_seed(0))
    conditioning = clip.encode_from_tokens_scheduled(clip.tokenize(prompt))
    settings = 1, 1.0, "euler", "simple", conditioning, conditioning, torch.zeros_like(noise)
    module = model.model.get_submodule
    hooks = [module(f"diffusion_model.{name}").register_forward_hook(kept(name)) for name in names]
    try:
        comfy.sample.sample(model, noise, *settings, disable_pbar=True)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: x[0].float().clone() if torch.is_tensor(x) else x for name, x in seen.items()}


def of_the_picture(output: Any, name: str) -> Tensor:
    """The picture's part of what a block gives: of two streams its own, of one stream its tokens, which come last."""
    if torch.is_tensor(output):
        return output if name == "sdxl" else output[-picture_tokens(name) :]
    return output[1 if name == "qwen_image" else 0][0].float().clone()


def picture_tokens(name: str) -> int:
    """How many tokens a latent of 8 x 8 becomes."""
    return 64 if name == "flux2" else 16


def ratio(above: Tensor, below: Tensor) -> float:
    """Of two lengths."""
    return float(above.norm() / below.norm())


if __name__ == "__main__":
    with torch.inference_mode(), quick():
        main()
