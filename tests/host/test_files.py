"""Erasures as files, in this process and in a real ComfyUI."""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from erasepro_core import FileError, Options, verify
from erasepro_core.files import pack, read
from erasepro_core.update import RowUpdate, Update
from tests import pack as packs
from tests.host import demo
from tests.host.client import Client
from tests.host.graphs import TEMPLATES, distance, node, pictures, solved, with_picture
from tests.host.server import comfyui
from tests.mini.request import mini_request

REQUEST = mini_request("circle | disc -> square", "object", "triangle\nstar")


@pytest.fixture(scope="module")
def report(host, mini):
    return packs.module("nodes.solve").solve_and_check(
        *mini[:2], REQUEST, Options(templates=TEMPLATES, own_tokens=False)
    )


def stored(report, precision: str, folder: Path):
    tensors, metadata = pack(report, precision)
    save_file(tensors, folder / f"{precision}.safetensors", metadata)
    return read(folder / f"{precision}.safetensors")


def features(host, erased) -> torch.Tensor:
    path = host.HostPath(*erased)
    return path.encode(path.tokenize(["a circle", "a photo of a red disc", "a star", ""]))["context"]


def test_saved_and_loaded_it_does_what_it_did(host, mini, report, tmp_path):
    back = stored(report, "float32", tmp_path)
    one, other = (host.with_erasure(*mini[:2], each.solution.updates, 1.0) for each in (report, back))
    torch.testing.assert_close(features(host, one), features(host, other), rtol=0, atol=1e-6)
    assert (features(host, one) - features(host, mini[:2])).abs().max() > 0.1
    paths = (host.HostPath(*each) for each in (one, other))
    weights, same_weights = (dict(path.conditioned(path.inputs[0])) for path in paths)
    for name, weight in weights.items():
        torch.testing.assert_close(weight, same_weights[name], rtol=0, atol=1e-6)


def test_half_precision_adds_hardly_any_leak(host, mini, tmp_path):
    options = Options(templates=2 * TEMPLATES, own_tokens=False)  # with fewer sentences there is little to leave out
    report = packs.module("nodes.solve").solve_and_check(*mini[:2], REQUEST, options)
    back = stored(report, "float16", tmp_path)
    assert back.solution.updates.nbytes() < 0.5 * report.solution.updates.nbytes()  # in memory both are float32
    path = host.HostPath(*mini[:2])
    half = verify(
        replace(report.solution, updates=back.solution.updates),
        path,
        host.HostPath(*host.with_erasure(*mini[:2], back.solution.updates, 1.0)),
        {},
    )
    for whole, rounded in ((report.leak_training, half.leak_training), (report.leak_unseen, half.leak_unseen)):
        assert abs(rounded[0] - whole[0]) < 0.003
    assert half.drift["neutral"] < report.drift["neutral"] + 0.005


def test_another_model_of_the_family_is_warned_of_and_not_refused(mini, report, caplog):
    from tests.mini.model import shaken

    apply = packs.module("nodes.apply").ApplyErasure
    assert apply.execute(*mini[:2], report, 1.0).ui is None
    assert "other weights" not in caplog.text
    model, clip, _ = shaken()
    shown = apply.execute(model, clip, report, 1.0)
    assert re.search(r"solved on other weights: they differ by about [4-7]\d\.\d%", caplog.text)
    assert "other weights" in str(shown.ui.as_dict())
    assert apply.execute(model, clip, report, 0.0).ui is None  # nothing was applied


def test_without_fingerprints_nothing_says_whether_it_is_the_same_model(mini, report, caplog):
    apply = packs.module("nodes.apply").ApplyErasure
    shown = apply.execute(*mini[:2], replace(report, fingerprints={}), 1.0)
    assert "does not say which weights it was solved on" in str(shown.ui.as_dict())
    assert "does not say which weights it was solved on" in caplog.text


def test_the_same_weights_in_half_precision_are_taken_for_the_same(host, report, caplog):
    from tests.mini import model as mini_model

    model, clip, _ = mini_model.load()
    model.model.half()
    clip.cond_stage_model.half()
    packs.module("nodes.apply").ApplyErasure.execute(model, clip, report, 1.0)
    assert "other weights" not in caplog.text


def test_an_erasure_of_another_family_is_refused_even_if_every_layer_fits(host, mini, report):
    erasure = replace(report.solution.updates, family="sdxl", diffusion_model={})
    with pytest.raises(host.ApplyError, match=r"made for a model of the family sdxl; this MODEL and CLIP are sd1"):
        host.with_erasure(*mini[:2], erasure, 1.0)


def test_folders_of_the_users_own_are_searched_too_and_only_for_safetensors(host, tmp_path, monkeypatch):
    import folder_paths
    from utils.extra_config import load_extra_path_config  # pyright: ignore[reportMissingImports]

    monkeypatch.setattr(folder_paths, "folder_names_and_paths", {})
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    (tmp_path / "elsewhere").mkdir()
    for name in ("mine.safetensors", "mine.ckpt", "mine.txt"):
        (tmp_path / "elsewhere" / name).write_bytes(b"")
    (tmp_path / "extra.yaml").write_text(f"mine:\n  base_path: {tmp_path}\n  erasepro: elsewhere\n")
    load_extra_path_config(str(tmp_path / "extra.yaml"))
    host.register_folder()
    host.register_folder()
    assert host.erasure_files() == ["mine.safetensors"]
    assert host.erasure_file("mine.safetensors") == tmp_path / "elsewhere" / "mine.safetensors"
    places = folder_paths.get_folder_paths("erasepro")
    assert [Path(place).parts[-2:] for place in places[1:]] == [("models", "erasepro"), ("output", "erasepro")]


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "a/../../secret.safetensors", "none"])
def test_a_name_that_leads_out_finds_nothing(host, tmp_path, monkeypatch, name):
    import folder_paths

    (tmp_path / "secret.safetensors").write_bytes(b"")
    (tmp_path / "erasepro").mkdir()
    places = ([str(tmp_path / "erasepro")], {".safetensors"})
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "erasepro", places)
    with pytest.raises(FileNotFoundError):
        host.erasure_file(name)


@pytest.mark.parametrize("prefix", ["../evil", "/tmp/evil", "erasepro/../../evil"])
def test_nothing_is_written_outside_the_output_folder(host, report, tmp_path, monkeypatch, prefix):
    import folder_paths

    (tmp_path / "output").mkdir()
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path / "output"))
    with pytest.raises(Exception, match="outside the output folder is not allowed"):
        host.save_tensors(*pack(report, "float16"), prefix)
    assert not list(tmp_path.rglob("*evil*"))
    assert host.save_tensors(*pack(report, "float16"), "erasepro/it") == ("erasepro/it_00001_.safetensors", True)
    assert host.save_tensors(*pack(report, "float16"), "erasepro/it")[0] == "erasepro/it_00002_.safetensors"


def test_without_metadata_it_is_still_a_lora_and_says_what_is_lost(report, tmp_path, monkeypatch):
    import folder_paths
    from comfy.cli_args import args

    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    save = packs.module("nodes.files").SaveErasure
    with_all = str(save.execute(report, "whole", "float16").ui.as_dict())
    assert "--disable-metadata" not in with_all
    monkeypatch.setattr(args, "disable_metadata", True)
    bare = str(save.execute(report, "bare", "float16").ui.as_dict())
    assert "request, measures and checks are not in it" in bare
    with safe_open(str(tmp_path / "bare_00001_.safetensors"), "pt") as file:
        assert not file.metadata()
        assert set(file.keys()) == set(pack(report, "float16")[0])
    with pytest.raises(FileError, match="load it with the stock LoRA loader"):
        read(tmp_path / "bare_00001_.safetensors")


def test_the_stock_loader_knows_every_key(mini, report):
    import comfy.lora
    import comfy.utils

    known = comfy.lora.model_lora_keys_unet(mini[0].model, {})
    known = comfy.lora.model_lora_keys_clip(mini[1].cond_stage_model, known)
    loaded = comfy.lora.load_lora(dict(pack(report, "float32")[0]), known)
    erasure = report.solution.updates
    zeros = {name for name in loaded if name.endswith("out_proj.weight") and not loaded[name].weights[0].any()}
    assert zeros  # for diffusers
    assert set(loaded) - zeros == {f"{name}.weight" for part in erasure.parts() for name in part}


def saved(server, graph, prefix: str, precision: str = "float16", erasure: Sequence = ("solve", 0)) -> str:
    """Runs a graph with Save Erasure behind its solve; the file, inside the output folder."""
    wire = {"erasure": list(erasure), "filename_prefix": prefix, "precision": precision}
    graph = graph | {"save": node("ErasePro_Save", **wire)}
    return server.queue(graph).checked().texts["save"].splitlines()[0]


def test_the_stock_lora_loader_draws_the_same_pictures(server, info):
    file = saved(server, solved(info), "loras/stock")
    graph = with_picture(solved(info), "applied", ["apply", 0], ["apply", 1])
    graph["lora"] = node(
        "LoraLoader",
        model=["loader", 0],
        clip=["loader", 1],
        lora_name=file.removeprefix("loras/"),
        strength_model=1.0,
        strength_clip=1.0,
    )
    graph = with_picture(graph, "stock", ["lora", 0], ["lora", 1])
    graph = with_picture(graph, "original", ["loader", 0], ["loader", 1])
    applied, stock, original = pictures(server, graph, "applied", "stock", "original")
    assert distance(applied, stock) < 1 / 255
    assert distance(applied, original) > 5 / 255


def test_a_loaded_erasure_draws_what_the_solved_one_draws(server, info):
    file = saved(server, solved(info), "erasepro/whole", "float32")
    graph = with_picture(solved(info), "solved", ["apply", 0], ["apply", 1])
    graph["load"] = node("ErasePro_Load", file=file.removeprefix("erasepro/"))
    graph["again"] = node("ErasePro_Apply", model=["loader", 0], clip=["loader", 1], erasure=["load", 0], strength=1.0)
    graph["report"] = node("ErasePro_Report", erasure=["load", 0])
    graph = with_picture(graph, "loaded", ["again", 0], ["again", 1])
    one, other = pictures(server, graph, "solved", "loaded")
    assert one == other
    texts = server.queue(graph).checked().texts
    timeless = [re.sub(r"solved in [\d.]+ s", "", texts[name]) for name in ("report", "solve")]  # solved twice
    assert timeless[0] == timeless[1]


def test_a_file_saved_anew_under_its_name_is_read_anew(server, info, tmp_path):
    file = saved(server, solved(info), "erasepro/renewed")
    other = saved(server, solved(info, "heart -> moon"), "erasepro/renewed")
    graph = {
        "load": node("ErasePro_Load", file=file.removeprefix("erasepro/")),
        "report": node("ErasePro_Report", erasure=["load", 0]),
    }
    assert server.queue(graph).checked().texts["report"].startswith("circle")
    assert server.queue(graph).checked().cached >= {"load"}
    shutil.copy(server.output / other, server.output / file)
    assert server.queue(graph).checked().texts["report"].startswith("heart")


def test_a_hostile_file_stops_its_node_and_the_next_run_works(server, info):
    folder = server.output / "erasepro"
    good = folder / saved(server, solved(info), "erasepro/cut").removeprefix("erasepro/")
    (folder / "bad.safetensors").write_bytes(good.read_bytes()[:-100])
    graph = {"load": node("ErasePro_Load", file="bad.safetensors")}
    graph["apply"] = node("ErasePro_Apply", model=["loader", 0], clip=["loader", 1], erasure=["load", 0], strength=1.0)
    graph["loader"] = node("MiniLoader")
    graph = with_picture(graph, "picture", ["apply", 0], ["apply", 1])
    result = server.queue(graph)
    assert result.error
    assert (result.error.node, "is damaged" in result.error.message) == ("load", True)
    assert not result.images
    graph["load"]["inputs"]["file"] = good.name
    assert server.queue(graph).checked().images


def test_a_name_that_leads_out_is_refused_before_anything_runs(server):
    graph = {"load": node("ErasePro_Load", file="../../models/x.safetensors")}
    graph["report"] = node("ErasePro_Report", erasure=["load", 0])
    result = server.queue(graph)
    assert result.error
    assert (result.error.node, result.error.kind) == ("load", "custom_validation_failed")


OTHER_ARITHMETIC = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
}
"""What makes a process add up as a machine with fewer cores and an older processor does."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> Iterator[Client]:
    """A second ComfyUI, that stands for another machine: a process and folders of its own, other arithmetic."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in OTHER_ARITHMETIC.items():
            patch.setenv(name, value)
        with comfyui(folder) as url:
            yield Client(url, folder / "output")


def _changes(update: Update) -> torch.Tensor:
    """All that an update adds: to the rows of a table that change, else to the whole weight."""
    return update.right if isinstance(update, RowUpdate) else update.dense()


def test_a_workflow_without_a_file_solves_to_the_same_digest_elsewhere(server, elsewhere):
    """The JSON alone goes to the other machine. There, digest, report, pictures and updates are the same."""
    workflow = json.loads((packs.ROOT / "example_workflows" / "save_and_load.json").read_text())
    told, drawn = [], []
    for machine in (server, elsewhere):
        graph = demo.mini_example(machine.object_info(), workflow)
        solve = next(key for key, each in graph.items() if each["class_type"] == "ErasePro_Solve")
        graph[solve]["inputs"]["templates"] = TEMPLATES
        file = saved(machine, graph, "erasepro/shared", "float32", [solve, 0])
        told.append((machine.queue(graph).checked().texts[solve], read(machine.output / file)))
        apply = {"model": ["loader", 0], "clip": ["loader", 1], "erasure": [solve, 0], "strength": 1.0}
        graph |= {"loader": node("MiniLoader"), "erased": node("ErasePro_Apply", **apply)}
        drawn += pictures(machine, with_picture(graph, "picture", ["erased", 0], ["erased", 1]), "picture")
    (here, one), (there, other) = told
    assert one.digest == other.digest
    assert f"digest {one.digest}" in here
    assert f"digest {one.digest}" in there
    assert one.leak_unseen == pytest.approx(other.leak_unseen, abs=0.002)
    assert distance(*drawn) < 1 / 255
    for part, same in zip(one.solution.updates.parts(), other.solution.updates.parts(), strict=True):
        for name, update in part.items():
            assert update.factors()[0].shape == same[name].factors()[0].shape, name
            apart = (_changes(update) - _changes(same[name])).norm() / update.norm()
            assert apart < 1e-3, name


@pytest.mark.parametrize("own_tokens", [True, False])
def test_other_options_or_other_weights_have_another_digest(mini, own_tokens):
    from tests.mini.model import shaken

    def solve(loaded, templates=TEMPLATES):
        options = Options(templates=templates, own_tokens=own_tokens)
        return packs.module("nodes.solve").solve_and_check(*loaded[:2], REQUEST, options)

    one, again, fewer, other = solve(mini), solve(mini), solve(mini, 3), solve(shaken(0.01))
    assert one.digest == again.digest
    assert len({one.digest, fewer.digest, other.digest}) == 3
