"""What every test gets: properties that are tried without a stopwatch, and repeatable."""

import sys

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


def pytest_sessionfinish() -> None:
    """Stop the PostgreSQL server, if a test started it."""
    server = sys.modules.get("emporion.chassis.testing.postgres_server")
    if server is not None:
        server.stop_server()
