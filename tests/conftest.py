"""Hypothesis profiles: `quick` (the default, and CI's: fixed examples) and `long` (run before trusting a change).

python -m pytest --hypothesis-profile=long
"""

import os

# Before NumPy is imported: workers share the cores, and BLAS threads of their own would get in each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick",
    max_examples=12,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
settings.register_profile("long", settings.get_profile("quick"), max_examples=400, derandomize=False)
settings.load_profile("quick")
