"""A table of things on any engine."""

from pathlib import Path

import pytest

from emporion.chassis.data.migrations.runner import Migrations
from tests.chassis.data.things import migrations_in


@pytest.fixture
def things(tmp_path: Path) -> Migrations:
    return migrations_in(tmp_path)
