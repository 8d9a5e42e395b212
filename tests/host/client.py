"""Talks to a running ComfyUI as its own page does: queues a graph, follows it on the websocket, reads what came out."""

import io
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import websocket
from PIL import Image

ApiGraph = dict[str, dict[str, Any]]
"""Node id -> {"class_type", "inputs"}; an input is a value or [node id, output slot]."""


class ClientError(Exception):
    """ComfyUI could not be asked, or did not answer in time."""


@dataclass(frozen=True)
class Progress:
    """How far a node is."""

    node: str
    value: float
    maximum: float


@dataclass(frozen=True)
class NodeError:
    """What a node, or the check before any node runs, refused."""

    node: str
    """Node id; empty when the graph as a whole was refused."""
    node_type: str
    kind: str
    """Class of the exception, or ComfyUI's name for a failed check such as `value_bigger_than_max`."""
    message: str

    def __str__(self) -> str:
        """One line for a person."""
        return f"{self.node_type or 'graph'} {self.node}: {self.kind}: {self.message}".replace(" :", ":")


@dataclass(frozen=True)
class ImageFile:
    """Where ComfyUI keeps an image it made."""

    filename: str
    subfolder: str
    type: str


@dataclass(frozen=True)
class Result:
    """What came of one run of a graph."""

    prompt_id: str
    outputs: dict[str, dict[str, list[Any]]]
    """Node id -> what the node showed, as in ComfyUI's history; also for nodes that did not run again."""
    errors: tuple[NodeError, ...]
    cached: frozenset[str]
    """Ids of the nodes that did not run, because an earlier run had the same inputs."""
    interrupted: bool
    seconds: float

    @property
    def error(self) -> NodeError | None:
        """The first error, if any."""
        return self.errors[0] if self.errors else None

    @property
    def images(self) -> dict[str, list[ImageFile]]:
        """Node id -> images."""
        return {
            node: [ImageFile(each["filename"], each["subfolder"], each["type"]) for each in shown["images"]]
            for node, shown in self.outputs.items()
            if shown.get("images")
        }

    @property
    def texts(self) -> dict[str, str]:
        """Node id -> text shown on the node."""
        return {node: "\n".join(map(str, shown["text"])) for node, shown in self.outputs.items() if "text" in shown}

    def checked(self) -> "Result":
        """This result.

        Raises:
            ClientError: the run had errors or was interrupted.
        """
        if self.errors or self.interrupted:
            raise ClientError("\n".join(map(str, self.errors)) or "The run was interrupted.")
        return self


def ignore(progress: Progress) -> None:
    """The listener of those who do not want to know."""


class Client:
    """One ComfyUI, by its address."""

    def __init__(self, url: str, output: Path = Path()):
        self.url = url
        self.output = output
        """Where it saves, for a ComfyUI on this machine."""
        self.id = uuid.uuid4().hex

    def queue(
        self, graph: ApiGraph, on_progress: Callable[[Progress], None] = ignore, timeout: float = 600.0
    ) -> Result:
        """Runs a graph and waits for its end. Errors of nodes are part of the result.

        Args:
            graph: in API form; `tests.host.workflow.to_api` makes it from a workflow file.
            on_progress: called with each step that a node reports.
            timeout: seconds.

        Raises:
            ClientError: ComfyUI went away, or the timeout passed.
        """
        started = time.monotonic()
        socket = websocket.create_connection(f"{self.url.replace('http', 'ws', 1)}/ws?clientId={self.id}")
        try:
            accepted = self._post("/prompt", {"prompt": graph, "client_id": self.id})
            refused = tuple(_refusals(accepted))
            if "prompt_id" not in accepted:
                return Result("", {}, refused, frozenset(), False, time.monotonic() - started)
            _follow(socket, accepted["prompt_id"], on_progress, started + timeout)
        finally:
            socket.close()
        return self._result(accepted["prompt_id"], refused, time.monotonic() - started)

    def object_info(self) -> dict[str, Any]:
        """Node type -> its inputs, outputs and texts, for every node that ComfyUI could load."""
        return json.loads(self._get("/object_info"))

    def history(self, prompt_id: str) -> dict[str, Any]:
        """What ComfyUI keeps of one finished run."""
        return json.loads(self._get(f"/history/{prompt_id}"))[prompt_id]

    def image(self, file: ImageFile) -> Image.Image:
        """An image that a run made."""
        query = urllib.parse.urlencode(vars(file))
        return Image.open(io.BytesIO(self._get(f"/view?{query}")))

    def interrupt(self) -> None:
        """Stops the run in progress; its `queue` returns an interrupted result."""
        self._post("/interrupt", {})

    def forget(self) -> None:
        """Unloads all models and clears the cache of results before the next run."""
        self._post("/free", {"unload_models": True, "free_memory": True})

    def _result(self, prompt_id: str, refused: tuple[NodeError, ...], seconds: float) -> Result:
        past = self.history(prompt_id)
        messages = past["status"]["messages"]
        failures = tuple(_failure(data) for event, data in messages if event == "execution_error")
        cached = frozenset(node for event, data in messages if event == "execution_cached" for node in data["nodes"])
        interrupted = any(event == "execution_interrupted" for event, _ in messages)
        return Result(prompt_id, past["outputs"], (*refused, *failures), cached, interrupted, seconds)

    def _get(self, path: str) -> bytes:
        return self._send(urllib.request.Request(self.url + path))

    def _post(self, path: str, body: Any) -> dict[str, Any]:
        """The answer, also when it is a refusal (status 400) with a reason in it."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        return json.loads(self._send(request) or b"{}")

    def _send(self, request: urllib.request.Request) -> bytes:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as refusal:
            if refusal.code == 400:
                return refusal.read()
            raise ClientError(f"{request.full_url} answered {refusal.code} {refusal.reason}") from refusal
        except OSError as problem:
            raise ClientError(f"{request.full_url} did not answer: {problem}") from problem


def _follow(
    socket: websocket.WebSocket, prompt_id: str, on_progress: Callable[[Progress], None], deadline: float
) -> None:
    """Returns when the run has ended and stands in the history."""
    for event, data in _events(socket, deadline):
        if data.get("prompt_id") != prompt_id:
            continue
        if event == "progress":
            on_progress(Progress(data["node"], data["value"], data["max"]))
        if event == "executing" and data["node"] is None:
            return


def _events(socket: websocket.WebSocket, deadline: float) -> Iterator[tuple[str, dict[str, Any]]]:
    while True:
        socket.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            message = socket.recv()
        except websocket.WebSocketTimeoutException as problem:
            raise ClientError("The run did not end in time.") from problem
        except (websocket.WebSocketException, OSError) as problem:
            raise ClientError(f"ComfyUI closed the connection during the run: {problem}") from problem
        if isinstance(message, str):  # bytes are previews
            event = json.loads(message)
            yield event["type"], event["data"]


def _refusals(answer: dict[str, Any]) -> Iterator[NodeError]:
    """The checks that failed before anything ran. Outputs that passed still run, so an accepted graph can have some."""
    nodes = answer.get("node_errors") or {}
    for node, entry in nodes.items():
        for error in entry["errors"]:
            yield NodeError(node, entry["class_type"], error["type"], f"{error['message']}: {error['details']}")
    if "error" in answer and not nodes:
        error = answer["error"]
        yield NodeError("", "", error["type"], f"{error['message']} {error['details']}".strip())


def _failure(data: dict[str, Any]) -> NodeError:
    return NodeError(data["node_id"], data["node_type"], data["exception_type"], data["exception_message"].strip())
