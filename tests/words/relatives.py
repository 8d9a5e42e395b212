"""Words for evaluation that no training caption contains: what else a thing is called, and what stands near it.

Whole words: "people" is excluded, "boathouse" is not "boat". Colours and backgrounds have no relatives here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Relatives:
    """Words around one name."""

    plural: str
    synonyms: tuple[str, ...]
    """Other words for the same thing, which a request does not list."""
    description: str
    """The thing without its name."""
    neighbours: tuple[str, ...]
    """Near in meaning and something else: must not move."""


RELATIVES: dict[str, Relatives] = {
    "cat": Relatives("cats", ("kitten", "feline", "kitty", "tabby"), "small furry pet that purrs and chases mice", ("tiger", "lion", "leopard", "panther", "fox", "wolf", "rabbit", "hamster", "squirrel", "ferret")),
    "dog": Relatives("dogs", ("puppy", "hound", "canine", "doggy"), "loyal furry pet that barks and fetches sticks", ("wolf", "fox", "rabbit")),
    "horse": Relatives("horses", ("stallion", "pony", "mare", "steed"), "large animal with a mane that people ride with a saddle", ("donkey", "zebra", "cow")),
    "bird": Relatives("birds", ("songbird", "sparrow", "fowl"), "small feathered animal with wings and a beak", ("bat", "butterfly", "chicken")),
    "fish": Relatives("fishes", ("trout", "salmon", "carp"), "animal with fins and gills that swims under water", ("whale", "crab", "shark")),
    "tree": Relatives("trees", ("oak", "maple", "evergreen"), "tall plant with a trunk, branches and leaves", ("bush", "forest", "cactus")),
    "flower": Relatives("flowers", ("blossom", "bloom", "daisy"), "plant with bright petals that smells sweet", ("leaf", "garden", "herb")),
    "mushroom": Relatives("mushrooms", ("toadstool", "fungus", "shroom"), "thing with a cap and a stem that grows in damp woods", ("moss", "potato", "onion")),
    "car": Relatives("cars", ("automobile", "sedan", "auto"), "vehicle with four wheels that a family drives on the road", ("truck", "motorcycle", "tractor")),
    "train": Relatives("trains", ("locomotive", "railway", "express"), "long vehicle that runs on rails between stations", ("tram", "subway", "truck")),
    "bus": Relatives("buses", ("coach", "minibus", "omnibus"), "large vehicle that carries many passengers through the city", ("truck", "tram", "taxi")),
    "boat": Relatives("boats", ("sailboat", "vessel", "yacht"), "thing with a hull and sails that floats on a lake", ("raft", "submarine", "canoe")),
    "airplane": Relatives("airplanes", ("plane", "aircraft", "jet"), "machine with wings and engines that carries passengers through the sky", ("helicopter", "rocket", "kite")),
    "bicycle": Relatives("bicycles", ("bike", "cycle", "two-wheeler"), "thing with two wheels, pedals and a handlebar", ("motorcycle", "scooter", "tricycle")),
    "house": Relatives("houses", ("home", "cottage", "residence"), "building with a roof and a door where a family lives", ("castle", "church", "barn")),
    "cup": Relatives("cups", ("mug", "teacup", "goblet"), "small thing with a handle from which you drink coffee", ("bowl", "plate", "spoon")),
    "bottle": Relatives("bottles", ("flask", "decanter", "carafe"), "glass container with a narrow neck and a cap", ("jar", "barrel", "bucket")),
    "chair": Relatives("chairs", ("seat", "armchair", "stool"), "piece of furniture with four legs and a back to sit on", ("sofa", "bench", "bed")),
    "lamp": Relatives("lamps", ("lantern", "lampshade", "nightlight"), "thing with a shade and a bulb that lights a dark room", ("candle", "torch", "fan")),
    "clock": Relatives("clocks", ("timepiece", "wristwatch", "timer"), "thing with hands and numbers that tells the time", ("calendar", "compass", "bell")),
    "book": Relatives("books", ("novel", "volume", "paperback"), "bound pages with printed words that people read", ("newspaper", "letter", "magazine")),
    "umbrella": Relatives("umbrellas", ("parasol", "brolly", "sunshade"), "folding thing that you hold over your head when it rains", ("raincoat", "tent", "hat")),
    "sun": Relatives("suns", ("sunshine", "sol", "daystar"), "bright star that rises every day and keeps us warm", ("rainbow", "planet", "comet")),
    "moon": Relatives("moons", ("crescent", "lunar", "luna"), "pale round thing that shines over us when the day is gone and waxes and wanes", ("star", "planet", "comet")),
    "person": Relatives("persons", ("human", "individual", "adult"), "one who walks on two legs, talks and wears trousers", ("monkey", "statue", "doll")),
    "bare robot": Relatives("bare robots", ("naked robot", "undressed robot", "unclothed robot"), "machine with arms and legs and without any clothes", ("toaster", "engine", "computer")),
    "Abraham Lincoln": Relatives("Abraham Lincolns", ("Lincoln", "Honest Abe"), "the president of the American civil war with a beard and a tall hat", ("George Washington", "Isaac Newton", "Benjamin Franklin")),
    "Marie Curie": Relatives("Marie Curies", ("Madame Curie", "Maria Sklodowska"), "the scientist who discovered radium and polonium", ("Albert Einstein", "Isaac Newton", "Ada Lovelace")),
}  # fmt: skip

PAINTER_SYNONYMS: dict[str, tuple[str, ...]] = {
    "Georges Seurat": ("Seurat",),
    "Katsushika Hokusai": ("Hokusai",),
    "Piet Mondrian": ("Mondrian",),
    "Vincent van Gogh": ("van Gogh", "Vincent"),
    "Claude Monet": ("Monet",),
    "Raphael": ("Raffaello Sanzio",),
    "Rembrandt": ("Rembrandt van Rijn",),
}
PAINTER_DESCRIPTIONS: dict[str, str] = {
    "Georges Seurat": "the French pointillist who painted La Grande Jatte",
    "Katsushika Hokusai": "the Japanese master of the great wave",
    "Piet Mondrian": "the Dutch painter of red, yellow and blue rectangles",
    "Vincent van Gogh": "the Dutch painter of sunflowers and the starry night",
    "Claude Monet": "the French impressionist who painted water lilies at Giverny",
    "Raphael": "the Renaissance master of the Sistine Madonna",
    "Rembrandt": "the Dutch master of the night watch",
}

OTHER_PAINTERS = (
    "Leonardo da Vinci", "Michelangelo", "Titian", "Sandro Botticelli", "Caravaggio", "Diego Velazquez", "Francisco Goya",
    "Peter Paul Rubens", "Jan Vermeer", "Frans Hals", "Pieter Bruegel", "Hieronymus Bosch", "Albrecht Durer",
    "Lucas Cranach", "Hans Holbein", "El Greco", "William Turner", "John Constable", "Caspar David Friedrich",
    "Eugene Delacroix", "Gustave Courbet", "Edouard Manet", "Edgar Degas", "Camille Pissarro", "Paul Cezanne",
    "Paul Gauguin", "Henri Rousseau", "Gustav Klimt", "Utagawa Hiroshige", "Giuseppe Arcimboldo",
)  # fmt: skip
"""Thirty that this world does not draw, all dead for a century or more."""

STRANGERS = (
    "Aelbert Cuyp", "Meindert Hobbema", "Jan van Goyen", "Adriaen van Ostade", "Willem Kalf", "Pieter Claesz",
    "Joaquin Clausell", "Vasily Polenov", "Hendrick Avercamp", "Salomon van Ruysdael", "Carel Fabritius",
    "Gerard ter Borch", "Jan Steen", "Pieter de Hooch", "Gerrit Dou", "Joachim Patinir", "David Teniers",
    "Jacob Jordaens", "Konstantin Makovsky", "Vasily Perov", "Alexei Savrasov", "Hubert Robert", "Nicolas Lancret",
    "Bernardo Bellotto", "Pietro Longhi", "Sebastiano Ricci", "Francesco Guardi", "Rosalba Carriera", "Luca Giordano",
    "Guercino",
)  # fmt: skip
"""Thirty that are in none of the pack's lists either; the youngest died in 1935."""

OTHER_THINGS = (
    "guitar", "piano", "violin", "elephant", "giraffe", "penguin", "butterfly", "apple", "banana", "cake", "pizza", "hammer",
    "ladder", "bridge", "tower", "castle", "mountain", "river", "balloon", "camera", "telephone", "computer", "shoe", "hat",
)  # fmt: skip
"""Twenty-four that it does not draw."""


def unlisted() -> set[str]:
    """Every word and phrase that training must not contain, in lower case."""
    found = set(OTHER_PAINTERS) | set(STRANGERS) | set(OTHER_THINGS)
    for each in RELATIVES.values():
        found |= {each.plural, *each.synonyms, *each.neighbours, each.description}
    found |= set(PAINTER_DESCRIPTIONS.values())
    # A part of a name that is trained whole stands in it.
    return {phrase.lower() for phrase in found} - {"lincoln"}
