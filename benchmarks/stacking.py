"""Every figure of docs/stacking.md and docs/decisions/0020, measured on the mini model: leak as the guard measures it.

`python -m benchmarks.stacking` prints them, a few minutes on 2 cores.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tests import pack

pack.comfy_on_cpu()

from erasepro_core import Options, Report  # noqa: E402
from erasepro_core.audit import audit, guard  # noqa: E402
from erasepro_core.encoded import encode_prompts, matched  # noqa: E402
from erasepro_core.measure import leak, weight_pairs  # noqa: E402
from tests.host.graphs import TEMPLATES  # noqa: E402
from tests.host.lora import baked, merged, with_random_lora  # noqa: E402
from tests.mini import model as mini_model  # noqa: E402
from tests.mini.request import mini_request  # noqa: E402
from tests.mini.sample import sample  # noqa: E402

CIRCLE = mini_request("circle | disc -> square", "object", "triangle\nring")
HEART = mini_request("heart | valentine -> triangle", "object", "moon\nring")
BARE = mini_request("bare robot | uncovered robot | robot without a coat -> robot wearing a coat", "explicit content")
KINDS = {
    "object": CIRCLE,
    "style": mini_request("Turner | glowing -> art", "style"),
    "person": mini_request("Ada -> a robot", "person"),
    "explicit content": BARE,
}
QUICK = Options(templates=TEMPLATES, own_tokens=False)
SHARES = (0.9, 0.75, 0.5, 0.25)
ROBOTS = ("a photo of a robot", "a robot", "a picture of a robot", "a painting of a robot", "this is a robot")

Both = tuple[Any, Any]


def say(what: str, *figures: float) -> None:
    """One line of the table."""
    print(f"| {what} | {', '.join(f'{figure:.3f}' for figure in figures)} |", flush=True)


def left(host: Any, report: Report, both: Both) -> float:
    """Leak of the worst name, as the guard has it."""
    return guard(report.solution.request, report.checks, host.HostPath(*both), 0.3).leak


def stacking(host: Any, mini: Both, solve: Callable[..., Report]) -> None:
    """The table of docs/stacking.md."""

    def on(both: Both, report: Report, strength: float = 1.0) -> Both:
        return host.with_erasure(*both, report.solution.updates, strength)

    circle = solve(*mini, CIRCLE, QUICK)
    erased = on(mini, circle)
    say("Apply alone", left(host, circle, erased))
    heart = solve(*erased, HEART, QUICK)
    both = on(erased, heart)
    say("a second erasure, solved on the erased model", left(host, circle, both), left(host, heart, both))
    heart = solve(*mini, HEART, QUICK)
    both = on(erased, heart)
    say("two solved on the original", left(host, circle, both), left(host, heart, both))
    tuned = {size: with_random_lora(mini, size) for size in (0.05, 0.1, 0.2, 0.4)}
    reports = {size: solve(*each, CIRCLE, QUICK) for size, each in tuned.items()}
    say("LoRA before Solve", *(left(host, reports[size], on(each, reports[size])) for size, each in tuned.items()))
    say("LoRA after Apply", *(left(host, circle, with_random_lora(erased, size)) for size in tuned))
    undone = replace(circle.solution.updates, **_negated(circle))
    say("a LoRA that undoes it", left(host, circle, host.with_erasure(*erased, undone, 1.0)))
    say("merge, share of the erased", *(left(host, circle, merged(erased, mini, share)) for share in SHARES))
    say("strength", *(left(host, circle, on(mini, circle, strength)) for strength in SHARES))
    with tempfile.TemporaryDirectory() as folder:
        say("CheckpointSave", left(host, circle, baked(erased, Path(folder))))
    say("solved on another model", left(host, circle, on(mini_model.shaken()[:2], circle)))


def _negated(report: Report) -> dict[str, Any]:
    parts = zip(("text_encoder", "diffusion_model"), report.solution.updates.parts(), strict=True)
    return {side: {name: replace(each, left=-each.left) for name, each in part.items()} for side, part in parts}


def judged(host: Any, mini: Both, solve: Callable[..., Report]) -> None:
    """The figures of docs/decisions/0020, with the default options."""
    before = host.HostPath(*mini)
    for kind, request in KINDS.items():
        report = solve(*mini, request, Options())
        erased = host.with_erasure(*mini, report.solution.updates, 1.0)
        half = host.with_erasure(*mini, report.solution.updates, 0.5)
        after = host.HostPath(*erased)
        say(
            f"{kind}: untouched, erased, half, CLIP past Apply, MODEL past Apply",
            *(left(host, report, b) for b in (mini, erased, half, (erased[0], mini[1]), (mini[0], erased[1]))),
        )
        found = guard(request, report.checks, after, 0.3)
        pairs, prefixes = matched(before, [check.pair for check in report.checks])
        prompts = [prompt for pair in pairs for prompt in (pair.target_prompt, pair.anchor_prompt)]
        weights = weight_pairs(before, after)
        full = leak(pairs, encode_prompts(before, prompts), encode_prompts(after, prompts), weights, prefixes).tolist()
        apart = [abs(one.leak - other) for one, other in zip(found.findings, full, strict=True)]
        say("worst sentence; sketch against full outputs, at most", max(f.leak for f in found.findings), max(apart))
        groups = audit(request, report.checks, after, 0.3).by_group()
        print("  " + ", ".join(f"{group} {value:.3f}" for group, value in groups.items()), flush=True)


def negative(host: Any, mini: Both, vae: Any, solve: Callable[..., Report]) -> None:
    """The table of negative prompts: distance from what the unedited model draws with the same negative prompt."""
    everywhere, encoder = (
        host.with_erasure(*mini, solve(*mini, BARE, options).solution.updates, 1.0)
        for options in (Options(), Options.named(where="text encoder"))
    )
    prompts = [ROBOTS[n % len(ROBOTS)] for n in range(24)]
    for cfg in (3.0, 6.0):

        def drawn(both: Both, clip: Any, text: str = "bare robot", cfg: float = cfg) -> torch.Tensor:
            return sample(*both, vae, prompts, seed=900, cfg=cfg, negative=text, negative_clip=clip)

        plain = drawn(mini, mini[1])
        rows = {
            "through the erased CLIP": drawn(everywhere, everywhere[1]),
            "through the original CLIP": drawn(everywhere, mini[1]),
            "the same, erasure in the text encoder alone": drawn(encoder, mini[1]),
            "no negative prompt at all": drawn(everywhere, mini[1], ""),
        }
        for name, pictures in rows.items():
            say(f"cfg {cfg:.0f}, {name}, x 1000", 1000 * float((pictures - plain).abs().mean()))


def main() -> None:
    """All three, one after the other."""
    host, solve = pack.module("nodes.host"), pack.module("nodes.solve").solve_and_check
    model, clip, vae = mini_model.load()
    stacking(host, (model, clip), solve)
    negative(host, (model, clip), vae, solve)
    judged(host, (model, clip), solve)


if __name__ == "__main__":
    with torch.inference_mode():
        main()
