"""How many sentences the names of a request get."""

from collections import Counter

import pytest

from erasepro_core import Options, parse_request
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
