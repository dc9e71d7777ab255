"""A furnished shop, made once for all lives of a worker."""

import asyncio

import pytest

from tests.crash.life import Template, furnish


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A data folder with a catalogue and customers whose sessions are valid."""
    return asyncio.run(furnish(tmp_path_factory.mktemp("furnished") / "shop"))
