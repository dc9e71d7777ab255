"""The folder of a process's databases: for its owner only, held by one process at a time."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from emporion.kernel.errors import FailedPrecondition, Unavailable

LOCK = "lock"
ADDRESS = "address"
"""Where the process that holds the folder takes requests; absent until it does."""
OWNER_ONLY = 0o700


class FolderInUse(FailedPrecondition):
    """Another process has the folder open: SQLite files have one writing process."""

    slug = "data-folder-in-use"
    title = "Another shop is running on this data folder"


class DataFolder:
    """Holds the lock of a data folder while it is entered; the system frees it at a crash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1

    def __enter__(self) -> Self:
        """Raises FolderInUse, or Unavailable when the folder cannot be made or written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=OWNER_ONLY)
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"cannot use the data folder {self.path}: {error}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise FolderInUse(
                f"{self.path} is in use by a running shop; stop it, or choose another --data"
            ) from error
        self._forget_address()  # that of a process which was killed
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        self._forget_address()
        os.close(self._lock)

    def _forget_address(self) -> None:
        (self.path / ADDRESS).unlink(missing_ok=True)

    @staticmethod
    def is_held(path: Path) -> bool:
        """Whether a process runs on this folder now."""
        try:
            lock = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(lock)
        return False


def write_address(folder: Path, url: str) -> None:
    """Say where the process that holds the folder takes requests."""
    new = folder / f"{ADDRESS}.new"
    new.write_text(f"{url}\n", encoding="utf-8")
    new.replace(folder / ADDRESS)


def address_in(folder: Path) -> str:
    """Where the process that holds the folder takes requests; empty when it does not say."""
    try:
        return (folder / ADDRESS).read_text("utf-8").strip()
    except OSError:
        return ""
