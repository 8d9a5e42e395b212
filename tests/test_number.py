"""Singular and plural of English nouns, as the forms of a name."""

import pytest

from erasepro_core.number import is_plural, other_number
from erasepro_core.texts import lines

PAIRS = """
cat cats, fox foxes, church churches, bush bushes, glass glasses, lady ladies, toy toys, pie pies,
house houses, horse horses, bus buses, virus viruses, nurse nurses, box boxes, photo photos, wolf
wolves, werewolf werewolves, knife knives, woman women, fireman firemen, human humans, child
children, person people, mouse mice, goose geese, foot feet, tooth teeth, cactus cacti, octopus
octopuses, tomato tomatoes, shoe shoes, horseshoe horseshoes, movie movies, kitty kitties, fly
flies, taxi taxis, menu menus, lens lenses, leaf leaves, axe axes, red car|red cars, man with two
hats|men with two hats, bottle of wine|bottles of wine, naked person|naked people, Wolf Wolves
"""


@pytest.mark.parametrize("pair", [pair.strip() for pair in PAIRS.replace("\n", " ").split(",")])
def test_a_plural_goes_with_its_singular(pair):
    singular, plural = pair.split("|") if "|" in pair else pair.split()
    assert other_number(singular) == plural
    assert not is_plural(singular)
    assert is_plural(plural)
    if singular != "glass":  # glasses are also what one sees through
        assert other_number(plural) == singular


@pytest.mark.parametrize("name", ["sheep", "deer", "aircraft", "scissors", "sunglasses", "species", "ramen"])
def test_a_name_with_one_form_is_its_own(name):
    assert other_number(name) == name


def test_every_listed_plural_is_two_words_and_none_is_listed_twice():
    pairs = [tuple(line.split()) for line in lines("plurals")]
    assert {len(pair) for pair in pairs} == {2}
    assert len({singular for singular, _ in pairs}) == len({plural for _, plural in pairs}) == len(pairs)
