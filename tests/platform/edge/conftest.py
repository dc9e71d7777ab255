"""The shops of the supervisor's tests, here with an eye on their edge."""

from tests.platform.supervisor.conftest import data, said

__all__ = ["data", "said"]
