"""What an earlier commit wrote, loaded, applied and solved again by this one.

`python -m benchmarks.earlier` checks ec4a23f out into a temporary folder and lets its own code solve a few requests,
save them as files, and name every bit of the weights that its Apply gave. Then this commit loads the same files,
applies them to the same models, and its bits are compared. It also solves the same requests again and says how far the
new updates are from the old ones, and which leaks and drifts both have on the same sentences.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from tests import pack

COMMIT = "ec4a23f"
CASES: dict[str, tuple[str, str, str, str]] = {
    "object": ("mini", "circle | disc -> square", "object", "triangle\nring"),
    "style": ("mini", "Hokusai | striped -> art", "style", "Turner\nSeurat"),
    "person": ("mini", "Ada -> a robot", "person", "Bolt"),
    "explicit content": ("mini", "bare robot | uncovered robot -> robot wearing a coat", "explicit content", "Cleo"),
    "capitals": ("mini", "Red Circle -> blue square", "object", ""),
    "tiny flux": ("flux", "circle -> square", "object", "ring"),
    "tiny wan": ("wan", "circle -> square", "object", "ring"),
}
"""By name: model, and concepts, kind and preserves of Define Concepts."""
OPTIONS: dict[str, Any] = {
    "where": "text encoder and cross-attention",
    "schedule": "progressive",
    "preserve": "exact",
    "preserve_strength": 1.0,
    "templates": 6,
    "tolerance": 0.1,
    "method": "ErasePro",
}
"""Of Solve, as they were by default."""
LAYERS = {"own_tokens": False, "forms": False}
"""Options that came later, as far as they can be set to what was done then."""
STRENGTHS = 1.0, 0.5


def load(model: str) -> tuple[Any, Any]:
    """MODEL and CLIP, of the tree that this process runs in."""
    if model == "mini":
        from tests.mini import model as mini

        return mini.load()[:2]
    from tests.host.families.models import MODELS

    return MODELS[model]()


def patched(model: Any, clip: Any) -> dict[str, torch.Tensor]:
    """Every weight that has a patch, with its patches, in float32."""
    import comfy.lora
    import comfy.utils

    found = {}
    for patcher in (model, clip.patcher):
        for key, patches in sorted(patcher.patches.items()):
            weight = comfy.utils.get_attr(patcher.model, key).detach().float().clone()
            found[key] = comfy.lora.calculate_weight(patches, weight, key)
    return found


def hashed(weights: dict[str, torch.Tensor]) -> str:
    """A short name of every bit."""
    sha = hashlib.sha256()
    for name, weight in weights.items():
        sha.update(name.encode() + weight.contiguous().numpy().tobytes())
    return sha.hexdigest()[:16]


# -- in the earlier tree


def write(folder: Path) -> None:
    """Solves, saves and applies with the code of the tree that this process runs in."""
    files = pack.module("erasepro_core.files")
    nodes = {name: pack.module(f"nodes.{name}") for name in ("define", "solve", "apply")}
    from safetensors.torch import save_file

    said = {}
    for case, (name, text, kind, preserve) in CASES.items():
        model, clip = load(name)
        request = nodes["define"].DefineConcepts.execute(text, kind, preserve, "", None).args[0]
        report = nodes["solve"].Solve.execute(model, clip, request, **OPTIONS).args[0]
        tensors, metadata = files.pack(report, "float32")
        save_file(tensors, folder / f"{case}.safetensors", metadata)
        applied = {s: nodes["apply"].ApplyErasure.execute(model, clip, report, s).args for s in STRENGTHS}
        save_file(patched(*applied[1.0]), folder / f"{case}.weights")
        said[case] = {str(strength): hashed(patched(*both)) for strength, both in applied.items()}
        print(case, said[case], flush=True)
    (folder / "said.json").write_text(json.dumps(said))


# -- here


def compare(folder: Path) -> None:
    """A row for each case: bits after loading, and what solving again gives."""
    said = json.loads((folder / "said.json").read_text())
    print("| request | layers | bits, strength 1 and .5 | apart: now | layers | leak: then | now | layers "
          "| drift: then | now | layers |\n" + "| --- " * 11 + "|")  # fmt: skip
    for case in CASES:
        print("|", " | ".join(row(folder, case, said[case])), "|", flush=True)


def row(folder: Path, case: str, said: dict[str, str]) -> list[str]:
    """What the table says of a case."""
    from safetensors.torch import load_file

    files, apply = pack.module("erasepro_core.files"), pack.module("nodes.apply").ApplyErasure
    name, text, kind, preserve = CASES[case]
    model, clip = load(name)
    then = files.read(folder / f"{case}.safetensors")
    applied = {s: apply.execute(model, clip, then, s).args for s in STRENGTHS}
    same = ["equal" if hashed(patched(*both)) == said[str(s)] else "differ" for s, both in applied.items()]
    request = pack.module("nodes.define").DefineConcepts.execute(text, kind, preserve, "", None).args[0]
    old, figures, gaps = load_file(folder / f"{case}.weights"), [measured(model, clip, request, *applied[1.0])], []
    for more in ({}, LAYERS):
        report = pack.module("nodes.solve").Solve.execute(model, clip, request, **OPTIONS, **more).args[0]
        both = apply.execute(model, clip, report, 1.0).args
        gaps.append(apart(model, clip, old, patched(*both)))
        figures.append(measured(model, clip, request, *both))
    leaks, drifts = zip(*figures, strict=True)
    return [case, str(len(old)), ", ".join(same), *gaps, *leaks, *drifts]


def apart(model: Any, clip: Any, old: dict[str, torch.Tensor], new: dict[str, torch.Tensor]) -> str:
    """Size of the difference of all weights, as a share of the size of the old change."""
    both = {key: w for p in (model, clip.patcher) for key, w in p.model.state_dict().items() if key in {*old, *new}}
    first = {key: weight.float() for key, weight in both.items()}
    then, now = first | old, first | new
    gap = sum(float((then[k] - now[k]).norm() ** 2) for k in first)
    change = sum(float((old[k] - first[k]).norm() ** 2) for k in old)
    return f"{(gap / change) ** 0.5:.2f}"


def measured(model: Any, clip: Any, request: Any, edited_model: Any, edited_clip: Any) -> tuple[str, str]:
    """Mean leak of the name that leaks most, on today's unseen sentences, and drift of everyday prompts."""
    from erasepro_core.audit import audit_against
    from erasepro_core.encoded import encode_prompts
    from erasepro_core.measure import drift, weight_pairs
    from erasepro_core.neutral import PROBE_PROMPTS
    from erasepro_core.probes import CHECKED

    path = pack.module("nodes.host").HostPath
    paths = path(model, clip), path(edited_model, edited_clip)
    by_name: dict[str, list[float]] = {}
    for finding in audit_against(request, *paths, 1.0, []).findings:
        if finding.group == CHECKED:
            by_name.setdefault(finding.name, []).append(finding.leak)
    before, after = (encode_prompts(each, PROBE_PROMPTS) for each in paths)
    moved = drift(list(PROBE_PROMPTS), before, after, weight_pairs(*paths))
    return f"{max(sum(each) / len(each) for each in by_name.values()):.3f}", f"{float(moved.mean()):.3f}"


def main() -> None:
    """Runs both halves, each with its own code."""
    from benchmarks.at_commit import checkout  # here: the writing half runs in a tree that has no such file

    with tempfile.TemporaryDirectory() as out, checkout(COMMIT) as tree:
        (tree / "build").symlink_to(pack.ROOT / "build")
        environment = os.environ | {"PYTHONPATH": str(tree)}
        subprocess.run([sys.executable, __file__, "--write", out], check=True, cwd=tree, env=environment)
        compare(Path(out))


if __name__ == "__main__":
    pack.comfy_on_cpu()
    torch.set_num_threads(1)  # one order of adding up
    with torch.inference_mode():
        write(Path(sys.argv[2])) if sys.argv[1:2] == ["--write"] else main()
