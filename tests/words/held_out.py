"""Everyday concepts on which nothing of Find Names was chosen: its figures are measured on them.

Each list was written before any score of its words was seen. Every synonym and neighbour is one token of the BERT
vocabulary. Decision 0095 used the first list up, the first thesaurus of decision 0102 the second. The last one was
measured behind it, and again after each later change (record 0102).
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

HELD_OUT_LATER: dict[str, Relatives] = {
    "forest": Relatives("forests", ("woods", "woodland", "jungle"), "wide land full of trees where deer live", ("meadow", "desert", "swamp", "garden")),
    "thief": Relatives("thieves", ("robber", "bandit", "crook"), "one who steals things at night", ("policeman", "guard", "spy", "merchant")),
    "prison": Relatives("prisons", ("jail", "penitentiary"), "building with cells where criminals are locked up", ("hospital", "school", "barracks", "court")),
    "stone": Relatives("stones", ("rock", "boulder"), "hard heavy piece of the ground that one throws into a lake", ("brick", "sand", "wood", "metal")),
    "king": Relatives("kings", ("monarch", "ruler", "sovereign"), "man with a crown who sits on a throne", ("queen", "prince", "bishop", "duke")),
    "devil": Relatives("devils", ("demon", "satan"), "evil being with horns and a tail who lives in hell", ("angel", "god", "witch", "dragon")),
    "storm": Relatives("storms", ("tempest", "hurricane"), "weather that breaks trees and sinks boats", ("rain", "snow", "fog", "sunshine")),
    "castle": Relatives("castles", ("fortress", "citadel", "stronghold"), "old building with walls and towers where knights lived", ("church", "cottage", "temple", "factory")),
    "monster": Relatives("monsters", ("beast", "creature"), "huge ugly being that frightens children", ("robot", "giant", "vampire", "hero")),
    "lawyer": Relatives("lawyers", ("attorney", "solicitor", "barrister"), "one who defends people before a judge", ("judge", "doctor", "teacher", "banker")),
    "fire": Relatives("fires", ("flame", "blaze", "inferno"), "hot bright thing that burns wood and leaves ashes", ("water", "ice", "smoke", "ash")),
    "baby": Relatives("babies", ("infant", "newborn"), "very small human who cries and drinks milk", ("mother", "adult", "doll", "grandmother")),
}  # fmt: skip

HELD_OUT_LAST: dict[str, Relatives] = {
    "cemetery": Relatives("cemeteries", ("graveyard",), "field with crosses where the dead are buried", ("church", "garden", "park", "hospital")),
    "photograph": Relatives("photographs", ("photo", "picture"), "flat sheet that a camera has made", ("painting", "mirror", "letter", "map")),
    "phone": Relatives("phones", ("telephone", "mobile"), "small thing with which people talk over a distance", ("radio", "camera", "television", "computer")),
    "hotel": Relatives("hotels", ("inn", "motel"), "building with rooms where guests sleep for a night", ("hospital", "restaurant", "apartment", "bank")),
    "pub": Relatives("pubs", ("tavern", "bar"), "room where people drink and play darts", ("restaurant", "theater", "library", "kitchen")),
    "wizard": Relatives("wizards", ("sorcerer", "magician", "mage"), "old man with a wand and a pointed hat who casts spells", ("knight", "monk", "king", "dragon")),
    "woman": Relatives("women", ("lady", "female"), "grown human who may bear children", ("man", "boy", "girl", "doll")),
    "shop": Relatives("shops", ("store", "boutique"), "room with a counter where one buys things", ("bank", "office", "school", "factory")),
    "ocean": Relatives("oceans", ("sea",), "endless salt water with waves and whales", ("lake", "river", "beach", "island")),
    "bag": Relatives("bags", ("sack", "purse"), "thing of cloth or leather in which one carries what one needs", ("box", "bottle", "wallet", "basket")),
    "carpet": Relatives("carpets", ("rug",), "soft woven thing that lies on the floor of a room", ("curtain", "blanket", "pillow", "tile")),
    "soldier": Relatives("soldiers", ("trooper",), "one in uniform who fights in a war", ("policeman", "pilot", "sailor", "knight")),
}  # fmt: skip

ANCHORS: dict[str, str] = dict.fromkeys(
    ("doctor", "child", "thief", "king", "lawyer", "baby", "wizard", "woman", "soldier"), "person"
)
"""What the erasures of the measurement put in the place of a concept; of all others `thing`."""
