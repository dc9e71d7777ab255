"""A program runs on only when the next supervisor could find it."""

from pathlib import Path

import psutil
import pytest

from emporion.platform.supervisor.child import Child, Command


async def test_a_program_whose_pid_cannot_be_written_down_does_not_run_on(tmp_path: Path) -> None:
    """As on a full disk: else it would hold its port, and nobody knew whom to end."""
    (tmp_path / "sleeper.pid.new").mkdir()
    command = Command("sleeper", ("/bin/sleep", "600"), tmp_path / "sleeper.log")
    before = set(psutil.Process().children())

    with pytest.raises(OSError, match="directory"):
        await Child.start(command, tmp_path)

    assert set(psutil.Process().children()) <= before
