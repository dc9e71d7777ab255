"""What every test gets: properties that are tried without a stopwatch, and repeatable."""

from hypothesis import HealthCheck, settings

# No deadline per example: a busy machine is not a defect. A failure prints how to repeat it.
settings.register_profile(
    "house",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")
