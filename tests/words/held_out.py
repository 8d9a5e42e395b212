"""Twelve everyday concepts on which nothing of Find Names was chosen: its figures are measured on them.

The lists were written before any score was seen. Every synonym and neighbour is one token of the BERT vocabulary.
"""

from __future__ import annotations

from .relatives import Relatives

HELD_OUT: dict[str, Relatives] = {
    "gun": Relatives("guns", ("pistol", "rifle", "firearm", "handgun", "shotgun", "revolver"), "thing with a barrel and a trigger that fires bullets", ("sword", "cannon", "bomb", "arrow")),
    "knife": Relatives("knives", ("blade", "dagger"), "sharp thing with a handle that cuts bread and meat", ("fork", "spoon", "scissors", "axe")),
    "doctor": Relatives("doctors", ("physician", "surgeon", "doc"), "one who treats the sick in a hospital", ("nurse", "patient", "lawyer", "teacher")),
    "child": Relatives("children", ("kid", "infant"), "very young boy or girl", ("parent", "teacher", "adult", "mother")),
    "rabbit": Relatives("rabbits", ("bunny", "hare"), "small animal with long ears that hops and eats carrots", ("mouse", "fox", "squirrel", "cat")),
    "pig": Relatives("pigs", ("hog", "boar"), "pink farm animal with a snout that rolls in the mud", ("cow", "sheep", "goat", "chicken")),
    "snake": Relatives("snakes", ("serpent", "viper", "cobra"), "long animal without legs that hisses and slithers", ("lizard", "crocodile", "frog", "worm")),
    "ship": Relatives("ships", ("vessel", "steamer", "steamship"), "large thing with a crew that crosses the ocean", ("train", "airplane", "submarine", "truck")),
    "church": Relatives("churches", ("chapel", "cathedral"), "building with a steeple where christians pray", ("mosque", "synagogue", "school", "castle")),
    "beer": Relatives("beers", ("ale", "brew"), "bitter drink with foam that is made of hops and malt", ("wine", "coffee", "milk", "juice")),
    "ghost": Relatives("ghosts", ("spirit", "phantom"), "pale shape of a dead man that haunts a house at night", ("vampire", "witch", "angel", "skeleton")),
    "road": Relatives("roads", ("street", "highway"), "long strip of asphalt on which cars drive", ("bridge", "railway", "river", "tunnel")),
}  # fmt: skip

ANCHORS = {"doctor": "person", "child": "person"}
"""What the erasures of the measurement put in the place of a concept; of all others `thing`."""
