"""How many sentences the names of a request get, and how much of the empty prompt is held."""

from collections import Counter
from typing import Any

import pytest

from erasepro_core import Options, parse_request, roles
from erasepro_core.plan import make_plan
from tests import pack

NAMES = ["circle", "disc", "square", "ring", "star", "moon", "cup", "tree", "house", "boat"]
NAMES += ["fish", "bird", "lamp", "door", "shoe", "hat", "key", "bell", "drum", "kite"]


@pytest.mark.parametrize(("names", "solved", "tried", "unseen"), [(1, 20, 8, 10), (10, 20, 8, 9), (20, 14, 4, 5)])
def test_many_names_get_fewer_sentences_each(mini, names, solved, tried, unseen):
    request = parse_request("\n".join(f"{name} -> thing" for name in NAMES[:names]), "object")
    path = pack.module("nodes.host").HostPath(*mini[:2])
    plan = make_plan(request, Options(templates=20, forms=False), path, ())
    for pairs, most in ((plan.named, solved), (plan.few_pairs, tried), (plan.unseen, unseen)):
        counts = Counter(pair.target for pair in pairs)
        assert len(counts) == names
        assert most <= max(counts.values()) <= most + 1  # a sentence may name something that is erased


def test_all_of_the_empty_prompt_is_held_where_the_encoder_has_room_for_it(mini, comfy_library):
    """77 tokens are most of the mini model's 128 directions, and less than a third of the tiny SD1's 256."""
    from tests.host.families.models import MODELS

    host, request = pack.module("nodes.host"), parse_request("circle -> square", "object")

    def held(model: Any, clip: Any) -> int:
        plan = make_plan(request, Options(templates=1, forms=False), host.HostPath(model, clip), ())
        return int((plan.tokens["clip_l"].exact[0] == plan.row_of[""]).sum())

    assert held(*MODELS["sd1"]()) == 77
    assert held(*mini[:2]) == 6  # BOS, the end token and four of padding


def test_what_shares_words_with_a_compound_is_followed_through_the_layers_as_far_as_there_is_room(mini, monkeypatch):
    path = pack.module("nodes.host").HostPath(*mini[:2])

    def followed(line: str) -> tuple[list[str], int]:
        plan = make_plan(parse_request(line, "object", "star"), Options(templates=2, forms=False), path, ())
        tokens = plan.tokens["clip_l"]
        assert sum(tokens.parts.values()) == len(tokens.followed[0])
        return [plan.prompts[row] for row in plan.followed], len(tokens.weighted[0])

    assert followed("circle -> square")[0] == []
    found, weighted = followed("red circle -> blue circle")
    assert {"star", "red", "circle"} <= {word for prompt in found for word in prompt.split()}
    assert "" not in found
    assert not any("red circle" in prompt for prompt in found)
    monkeypatch.setattr(roles, "FOLLOWED", 400)
    fewer, same = followed("red circle -> blue circle")
    assert 0 < len(fewer) < len(found)
    assert same == weighted  # all still stay
