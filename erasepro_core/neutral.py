"""Everyday prompts: what a model is usually asked for. Written for this pack; they name no artist or brand."""

from __future__ import annotations

_LINES = """\
a dog running on a wet beach at sunset
a bowl of fruit on a wooden table
two children playing in the snow
an old stone bridge over a quiet river
a city street at night with bright signs
a cup of coffee beside an open book
a mountain lake with clear blue water
a red car parked in front of a house
portrait of a smiling woman with short hair
a man in a grey suit reading a newspaper
a cat asleep on a window sill
a field of yellow flowers under a cloudy sky
a small boat in a harbour
a crowded market with vegetables and bread
an empty classroom with wooden desks
a steam train crossing a valley
close-up of a green leaf with water drops
a kitchen with white walls and copper pans
a tall tree in the middle of a meadow
a horse standing behind a fence
people waiting for a bus in the rain
a glass bottle on a black background
a snowy forest path in the morning
a birthday cake with lit candles
a lighthouse on a rocky coast, stormy sea
an airplane above the clouds
a girl riding a bicycle through a park
a plate of pasta with tomato sauce
a castle on a hill, dramatic light
a robot repairing a clock, highly detailed
a futuristic city with flying vehicles
an astronaut walking on a red planet
a dragon above a burning village, fantasy
a knight in shining armor on a white horse
a cozy living room with a fireplace
a desert road that leads to the horizon
a waterfall in a tropical jungle
a violin lying on sheet music
a pair of worn leather boots
an owl on a branch under the full moon
a farmer feeding chickens
a wooden chair beside a blue door
a bicycle leaning against a brick wall
a tiger in tall grass, wildlife photography
a chef cutting onions in a restaurant
a woman in a long dress dancing
a boy with a balloon at a fair
a bus full of tourists in an old town
a basket of apples and pears, still life
a ship in a bottle, macro photograph
an elephant crossing a river
a library with tall shelves and a ladder
a football match in a large stadium
a vase of tulips, oil on canvas
a black and white photograph of a harbour
watercolor of a village in spring
a pencil drawing of a hand
an isometric render of a tiny house
a low poly landscape, pastel colors
a poster with bold letters and simple shapes
a pixel art character with a sword
an ink sketch of a bird in flight
a charcoal study of an old man
a stained glass window in a church
a marble statue in a garden
a neon sign in a dark alley
fireworks over a river, long exposure
a foggy morning in the hills
a spoon, a fork and a knife on a cloth
a wedding couple under an arch of flowers
a nurse holding a clipboard
a firefighter in front of a truck
a teacher pointing at a blackboard
a musician with a guitar on a stage
an office with large windows and plants
a subway station during rush hour
a skier on a steep slope
a surfer inside a wave
a group of friends around a campfire
a wolf howling, digital illustration
a frog on a lily pad
a butterfly on a purple flower
a school of fish near a coral reef
a whale jumping out of the water
a windmill beside a canal
a tent under the stars
a pyramid in the desert at noon
a temple with red pillars
a skyscraper seen from below
a garage full of tools
a worn map and a compass
a clock without hands
a telephone on a desk, 1950s
a laptop and a notebook, flat lay
a row of colorful houses by the sea
a round mirror on a green wall
sharp focus, soft light, high resolution
best quality, detailed background
blurry, low quality
landscape, wide angle, golden hour
"""

_PROBES = """\
a fox in the snow beside a frozen stream
a loaf of bread on a cutting board
an orchestra on the stage of a concert hall
a rusty key on a stone floor
a woman with an umbrella crossing the street
a vineyard in autumn, aerial view
a penguin colony on the ice
a wooden cabin with smoke from its chimney
a shelf with jars of honey
a runner at the start of a race
a violet sky over a wheat field
an engraving of a sailing ship
a spiral staircase seen from above
a bowl of rice and a pair of chopsticks
a mechanic under a truck
a polar bear and her cub
a carousel at dusk
a child drawing with chalk on the pavement
a glass of lemonade with ice
a motorcycle on a country road
a flock of sheep on a green hill
an abandoned factory, moody light
a parrot on a wooden perch
a minimalist logo with two lines
"""

FIT_PROMPTS = tuple(_LINES.splitlines())
"""Prompts whose features weigh the size of an update."""
PROBE_PROMPTS = tuple(_PROBES.splitlines())
"""Prompts that are never solved on: drift is measured here."""
