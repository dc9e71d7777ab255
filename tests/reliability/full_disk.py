"""A disk that is full for a while: a small one in memory, filled to its last byte, and emptied."""

import asyncio
import errno
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.reliability.faults import Fault
from tests.reliability.split_shop import SplitShop

DISK_MIB = 1536
FULL_S = 3.0
CHUNK = b"\0" * 65_536
CHUNKS_AT_ONCE = 256
PAUSE_S = 0.01
UNMOUNT_TRIES = 50
UNMOUNT_PAUSE_S = 0.2


class MountRefused(Exception):
    """This user may not mount here."""


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of DISK_MIB in memory, gone afterwards. Raises MountRefused."""
    place = folder / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0755", "tmpfs", str(place)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError as error:
        raise MountRefused(str(error)) from error
    if done.returncode:
        raise MountRefused(done.stderr.strip())
    try:
        yield place
    finally:
        unmount(place)


def unmount(place: Path) -> None:
    """Unmount it, at the latest when its last process has ended."""
    for _ in range(UNMOUNT_TRIES):
        if subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(UNMOUNT_PAUSE_S)
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def filled(disk: Path, duration_s: float = FULL_S) -> Fault:
    """Not a byte is free; what others give back meanwhile is taken, too. Then there is room."""

    async def happen(_: SplitShop) -> None:
        filler = disk / "filler"
        try:
            end_s = 0.0
            with filler.open("ab", buffering=0) as file:
                while not end_s or time.monotonic() < end_s:
                    if _take_all(file.write) and not end_s:
                        end_s = time.monotonic() + duration_s
                    await asyncio.sleep(PAUSE_S)
        finally:
            filler.unlink(missing_ok=True)

    return Fault(f"the disk of the whole shop is full for {duration_s:g} s", happen)


def _take_all(write: Callable[[bytes], int]) -> bool:
    """Write until there is no room; True, or False when a pause is due first."""
    for _ in range(CHUNKS_AT_ONCE):
        try:
            write(CHUNK)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return True
    return False
