"""How many cases a property is tried on: few and always the same in `make test`, many and new ones in `make fuzz`."""

import os

from hypothesis import HealthCheck, settings

ALL = {"deadline": None, "suppress_health_check": [*HealthCheck]}
settings.register_profile("short", max_examples=50, derandomize=True, **ALL)
settings.register_profile("fuzz", max_examples=int(os.environ.get("CASES", "10000")), **ALL)
settings.load_profile(os.environ.get("PROPERTIES", "short"))
