"""A real ComfyUI as a process of its own, on the CPU, with this pack and the mini model and nothing of the user's.

`python -m tests.host.server` runs one for a person to look at.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.pack import COMFYUI, ROOT

READY_SECONDS = 180
CONTROL = "mini_outlines.safetensors"
"""What Load ControlNet calls the mini model's."""
# What a user gets from the registry. Linking just this shows that the nodes need nothing else of the repository.
SHIPPED = (
    "__init__.py",
    "pyproject.toml",
    "erasepro_core",
    "nodes",
    "web",
    "locales",
    "example_workflows",
    "subgraphs",
)


class HostError(Exception):
    """ComfyUI did not start, or stopped; carries the end of its log."""


@contextlib.contextmanager
def comfyui(base: Path | None = None, port: int | None = None, frontend: Path | None = None) -> Iterator[str]:
    """Starts ComfyUI, waits until it answers, and stops it at the end.

    Args:
        base: its folder for models, inputs, outputs, settings and log; by default a temporary one.
        port: where it listens; by default any free port.
        frontend: folder of the page it serves; by default the one it comes with.

    Yields:
        Its address, such as `http://127.0.0.1:41234`.

    Raises:
        HostError: the port is taken, or it ended or did not answer within READY_SECONDS.
    """
    port = port or free_port()
    _require_free(port)
    with contextlib.ExitStack() as stack:
        folder = base or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="erasepro-host-")))
        furnish(folder)
        log = folder / "comfyui.log"
        process = stack.enter_context(_running(_command(folder, port, frontend), log))
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process, log)
        yield url


def furnish(base: Path) -> None:
    """Makes the folders ComfyUI expects, with the pack and the mini model linked in, and its ControlNet."""
    for name in ("custom_nodes", "models/controlnet", "input", "output", "user", "temp"):
        (base / name).mkdir(parents=True, exist_ok=True)
    pack = base / "custom_nodes" / "ErasePro"
    pack.mkdir(exist_ok=True)
    for name in SHIPPED:
        _link(pack / name, ROOT / name)
    for name in ("mini", "tiny"):
        _link(base / "custom_nodes" / f"erasepro_{name}", ROOT / "tests" / name)
    _link(base / "models" / "controlnet" / CONTROL, ROOT / "tests" / "mini" / "control.safetensors")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _require_free(port: int) -> None:
    """Raises HostError if somebody listens there: waiting for our own to answer, we would hear theirs."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise HostError(f"Port {port} is taken by another program. Stop that one or choose another port.")


def _link(link: Path, target: Path) -> None:
    if target.exists() and not link.is_symlink():
        link.symlink_to(target)


def _command(base: Path, port: int, frontend: Path | None) -> list[str]:
    python, main = ROOT / "build" / "venv" / "bin" / "python", COMFYUI / "main.py"
    # Without its own database, ComfyUI would write to the folder that holds its code, which may be the user's.
    database = f"sqlite:///{base / 'user' / 'comfyui.db'}"
    options = ["--cpu", "--disable-auto-launch", "--port", str(port), "--base-directory", str(base)]
    options += ["--front-end-root", str(frontend)] if frontend else []
    return [str(python), str(main), *options, "--database-url", database]


@contextlib.contextmanager
def _running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and all it started: asks first, then insists."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            return


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise HostError(f"ComfyUI ended with status {process.returncode} while starting.\n{log_tail(log)}")
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"{url}/system_stats", timeout=5).close()
            return
        time.sleep(0.2)
    raise HostError(f"ComfyUI did not answer within {READY_SECONDS} seconds.\n{log_tail(log)}")


def log_tail(log: Path, lines: int = 25) -> str:
    """The last lines of a log file, indented."""
    return "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-lines:])


def main() -> None:
    """Runs ComfyUI on port 8188 (or the one given) in build/ui until Ctrl-C or a kill."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8188
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else a plain kill would leave ComfyUI running
    with comfyui(ROOT / "build" / "ui", port) as url:
        print(f"ComfyUI runs at {url}; its log is build/ui/comfyui.log. Ctrl-C ends it.", flush=True)
        signal.pause()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
