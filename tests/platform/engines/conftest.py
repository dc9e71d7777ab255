"""A data folder whose path is short and whose owner alone may enter it, as a shop's is."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.mongodb import sockets_collected

__all__ = ["data", "sockets_collected"]


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="emporion-engines-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
