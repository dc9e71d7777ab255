"""What every test gets: properties that are tried without a stopwatch, and repeatable."""

import pytest
from hypothesis import HealthCheck, settings

# No deadline per example: a busy machine is not a defect. A failure prints how to repeat it.
settings.register_profile(
    "house",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request):
    """Each engine of a service's SQL in turn: what holds on one holds on the other."""
    return request.param
