"""What every test gets: properties that are tried without a stopwatch, and repeatable."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

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


@pytest.fixture(autouse=True, scope="module")
def logging_as_before_module() -> Iterator[None]:
    """A module whose fixture starts a process's logs in this one leaves the others their own."""
    with _same_logging():
        yield


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A test that starts a process's logs in this one leaves the others their own."""
    with _same_logging():
        yield


@contextmanager
def _same_logging() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for handler in [one for one in root.handlers if one not in handlers]:
        if type(handler).__module__.startswith("emporion"):
            root.removeHandler(handler)


IN_SHORT = (
    "tests/chassis/data/",
    "tests/services/order/test_orders.py",
    "tests/services/inventory/test_holds.py",
)
"""Here every engine is tried also in the short form; elsewhere it is SQLite only."""
LONG = (
    "tests/browser/",
    "tests/chassis/brokers/test_aws",
    "tests/chassis/brokers/test_jetstream_postgres.py",
    "tests/platform/audit/test_audit_split.py",
    "tests/platform/cli/test_day.py",
    "tests/platform/cli/test_faults.py",
    "tests/platform/cli/test_operating.py",
    "tests/platform/audit/test_gift_cards_split.py",
    "tests/platform/deploy/test_apply.py",
    "tests/platform/deploy/test_emulated.py",
    "tests/platform/ecs/",
    "tests/platform/edge/test_envoy.py",
    "tests/platform/engines/",
    "tests/platform/privacy/test_split.py",
    "tests/platform/supervisor/test_external.py",
    "tests/platform/supervisor/test_pages.py",
    "tests/platform/supervisor/test_supervisor.py",
    "tests/services/analytics/test_timescale.py",
    "tests/services/email/test_ses.py",
    "tests/services/inventory/test_mongodb.py",
)
ON_CDK = "tests/platform/deploy/cdk/"
"""Here the AWS CDK is needed, which only `make deploy-check` installs."""
_OTHER_ENGINES = re.compile(r"\[[^\]]*(postgres|mongodb|documentdb|timescale)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make engines` runs beside the short form: see CONTRIBUTING.md."""
    for item in items:
        is_other = _OTHER_ENGINES.search(item.nodeid) and not item.nodeid.startswith(IN_SHORT)
        if is_other or item.nodeid.startswith(LONG):
            item.add_marker(pytest.mark.engines)
        if item.nodeid.startswith(ON_CDK):
            item.add_marker(pytest.mark.cdk)


def pytest_sessionfinish() -> None:
    """Stop the servers that tests started."""
    for name in ("emporion.chassis.testing.postgres_server", "tests.engines.timescale"):
        server = sys.modules.get(name)
        if server is not None:
            server.stop_server()
