"""What ends a run from outside: a full disk, a folder that cannot be written, a process that is killed, two clients."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.host.client import ApiGraph, Client, ClientError
from tests.host.graphs import node, pictures, solved, with_picture
from tests.host.server import comfyui
from tests.pack import ROOT


def saving(info, prefix: str) -> ApiGraph:
    """Solve and save, and a picture of the model without the erasure."""
    save = node("ErasePro_Save", erasure=["solve", 0], filename_prefix=prefix, precision="float16")
    return with_picture(solved(info) | {"save": save}, "untouched", ["loader", 0], ["loader", 1])


def files(folder: Path) -> dict[str, str]:
    """Every file below a folder, by its contents."""
    found = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in found}


@pytest.fixture
def small_disk(server: Client) -> Iterator[Path]:
    """A folder of the server's output on a disk of 16 kB, which an erasure does not fit on."""
    folder = server.output / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can make a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def refused_and_then_saved(server: Client, info, prefix: str) -> str:
    """What Save says; the run before and the run after it must draw what they always draw."""
    before = pictures(server, saving(info, "erasepro/before"), "untouched")
    result = server.queue(saving(info, prefix))
    assert result.error
    assert (result.error.node, result.error.kind.rpartition(".")[2]) == ("save", "SaveError")
    after = server.queue(saving(info, "erasepro/after")).checked()
    assert (server.output / after.texts["save"].splitlines()[0]).is_file()
    assert [server.image(after.images["untouched"][0]).convert("RGB").tobytes()] == before
    return result.error.message


def test_a_full_disk_leaves_no_file_and_the_next_run_works(server, info, small_disk):
    said = refused_and_then_saved(server, info, "small/erasure")
    assert "No space left on device" in said
    assert "nothing was saved. It takes 0." in said
    assert list(small_disk.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named_and_the_next_run_works(server, info):
    """/sys takes no files, from root neither, for whom a folder without write permission is one like any other."""
    (server.output / "readonly").symlink_to("/sys")
    said = refused_and_then_saved(server, info, "readonly/erasure")
    assert "'readonly/erasure'" in said
    assert "make the folder writable" in said
    (server.output / "readonly").unlink()


KILLED = """
import os, signal, sys
from pathlib import Path
from tests import pack
pack.comfy_on_cpu()
import comfy.utils, folder_paths
from erasepro_core.files import pack as packed
from tests.artefact import example

def half(tensors, file, metadata=None):  # as libraries before safetensors 0.5 do: into the file itself
    import safetensors.torch
    whole = safetensors.torch.save(tensors, metadata)
    Path(file).write_bytes(whole[: len(whole) // 2])
    os.kill(os.getpid(), signal.SIGKILL)

comfy.utils.save_torch_file = half
folder_paths.output_directory = sys.argv[1]
pack.module("nodes.host").save_tensors(*packed(example(), "float16"), "erasepro/it")
"""


def test_a_process_that_is_killed_while_it_saves_leaves_no_erasure_in_the_list(host, tmp_path, monkeypatch):
    import folder_paths

    from erasepro_core.files import pack, read
    from tests.artefact import example

    process = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, capture_output=True, timeout=300)
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    folder = tmp_path / "erasepro"
    assert [file.suffix for file in folder.iterdir()] == [".part"]
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "erasepro", ([str(folder)], {".safetensors"}))
    assert host.erasure_files() == []
    file, _ = host.save_tensors(*pack(example(), "float16"), "erasepro/it")
    assert read(tmp_path / file).solution.request == example().solution.request
    assert host.erasure_files() == [Path(file).name]  # the half one is not listed, and not written over


def test_a_host_that_is_killed_while_it_solves_changes_no_file_and_works_when_started_again(tmp_path):
    with comfyui(tmp_path) as url:
        client = Client(url, tmp_path / "output")
        info = client.object_info()
        graph = saving(info, "erasepro/it")
        graph["solve"]["inputs"]["own_tokens"] = False
        before = files(tmp_path / "models") | files(tmp_path / "output")
        server = next(p for p in psutil.Process().children() if str(tmp_path) in " ".join(p.cmdline()))

        def kill(progress) -> None:
            if progress.node == "solve" and progress.value >= 3:
                os.kill(server.pid, signal.SIGKILL)

        with pytest.raises(ClientError, match="closed the connection"):
            client.queue(graph, kill)
    assert files(tmp_path / "models") | files(tmp_path / "output") == before
    with comfyui(tmp_path) as url:
        client = Client(url, tmp_path / "output")
        saved = client.queue(graph).checked().texts["save"].splitlines()[0]
        assert list(files(tmp_path / "output")) == [saved]


def test_two_clients_at_once_get_what_each_gets_alone(server, info):
    texts = {"circle": "circle -> square", "heart": "heart -> moon"}
    alone, together = {}, {}
    graphs = {}
    for word, text in texts.items():
        graph = with_picture(solved(info, text), "erased", ["apply", 0], ["apply", 1], f"a photo of a red {word}")
        graphs[word] = with_picture(graph, "untouched", ["loader", 0], ["loader", 1], f"a photo of a red {word}")
        alone[word] = pictures(server, graphs[word], "erased", "untouched")
        assert alone[word][0] != alone[word][1]
    server.forget()

    def run(word: str) -> None:
        together[word] = [pictures(Client(server.url), graphs[word], "erased", "untouched") for _ in range(2)]

    threads = [threading.Thread(target=run, args=(word,)) for word in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
    assert together == {word: [drawn] * 2 for word, drawn in alone.items()}
