"""The harness itself, against a real ComfyUI and its own nodes."""

import sys

import pytest

from tests.host import server as server_module
from tests.host.client import Client, ClientError
from tests.host.server import HostError


def picture(color=0xFF0000):
    """Two nodes: a picture of one colour, shown."""
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 4, "batch_size": 1, "color": color}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }


def test_a_run_brings_back_its_images(server):
    result = server.queue(picture()).checked()
    (file,) = result.images["2"]
    image = server.image(file)
    assert image.size == (8, 4)
    assert image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def test_a_second_run_says_what_it_did_not_do_again(server):
    server.queue(picture(color=1)).checked()
    assert "1" in server.queue(picture(color=1)).checked().cached
    assert "1" not in server.queue(picture(color=2)).checked().cached


def test_texts_shown_on_nodes_come_back(server):
    graph = {"1": {"class_type": "PreviewAny", "inputs": {"source": "hello"}}}
    assert server.queue(graph).checked().texts == {"1": "hello"}


def test_a_value_out_of_range_is_refused_before_anything_runs(server):
    graph = picture()
    graph["1"]["inputs"]["width"] = 0
    result = server.queue(graph)
    assert (result.error.node, result.error.node_type) == ("1", "EmptyImage")
    assert result.error.kind == "value_smaller_than_min"
    assert not result.outputs
    with pytest.raises(ClientError, match="value_smaller_than_min"):
        result.checked()


def test_an_error_inside_a_node_comes_back_as_one(server):
    broken = {"string": "a", "regex_pattern": "(", "replace": "b"}
    graph = {
        "1": {"class_type": "RegexReplace", "inputs": broken},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }
    result = server.queue(graph)
    assert (result.error.node, result.error.node_type) == ("1", "RegexReplace")
    assert "missing )" in result.error.message
    assert not result.interrupted
    server.queue(picture()).checked()


def test_an_unknown_node_type_is_an_error_of_the_graph(server):
    result = server.queue({"1": {"class_type": "NoSuchNode", "inputs": {}}})
    assert "NoSuchNode" in result.error.message


def test_a_server_that_cannot_start_shows_its_log(monkeypatch):
    monkeypatch.setattr(server_module, "_command", lambda *_: [sys.executable, "-c", "raise SystemExit('a reason')"])
    with pytest.raises(HostError, match=r"ended with status 1 while starting[^$]*a reason"), server_module.comfyui():
        pass


def test_a_port_in_use_is_not_mistaken_for_our_server(server):
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(HostError, match=f"Port {port} is taken"), server_module.comfyui(port=port):
        pass


def test_a_server_that_is_gone_is_an_error_not_a_hang():
    with pytest.raises(ClientError, match="did not answer"):
        Client("http://127.0.0.1:9").object_info()
