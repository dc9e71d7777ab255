"""Moves the write-ahead log into the database file, beside the writer and not in its way."""

import logging
import queue
import threading
from pathlib import Path

import apsw

from emporion.chassis.data.sqlite.connection import open_writer

_log = logging.getLogger(__name__)
PAGES_PER_CHECKPOINT = 1_000
"""Measured: p99 of an order is lowest at about 1,000 pages a checkpoint (docs/performance.md)."""
PAGES_MAX = 16_000
"""Past this (64 MB) the writer itself restarts the log, so that it cannot grow for ever."""


class Checkpointer:
    """One thread a file that checkpoints when the log has grown by PAGES_PER_CHECKPOINT.

    If it is forgetful, the writer empties the log after every batch.
    """

    def __init__(self, path: Path, *, is_forgetful: bool = False) -> None:
        self._path = path
        self._is_forgetful = is_forgetful
        self._pages_done = 0
        self._asked = False
        self._requests: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, name=f"checkpoint-{path.stem}", daemon=True
        )
        self._thread.start()

    def grown_to(self, connection: apsw.Connection, pages: int) -> None:
        """Called by the writer between two batches with the log's length in pages."""
        if pages < self._pages_done:
            self._pages_done = 0  # the log started again from its beginning
        if self._is_forgetful:
            self._restart(connection, apsw.SQLITE_CHECKPOINT_TRUNCATE)
        elif pages >= PAGES_MAX:
            self._restart(connection, apsw.SQLITE_CHECKPOINT_RESTART)
        elif pages - self._pages_done >= PAGES_PER_CHECKPOINT and not self._asked:
            self._asked = True
            self._pages_done = pages
            self._requests.put(True)  # noqa: FBT003 - a queue of stop or go

    def _restart(self, connection: apsw.Connection, mode: int) -> None:
        self._pages_done = 0
        try:
            connection.wal_checkpoint(mode=mode)
        except apsw.Error:
            _log.exception("the log of %s could not be restarted; it grows on", self._path.name)

    def close(self) -> None:
        """Stop the thread."""
        self._requests.put(False)  # noqa: FBT003 - a queue of stop or go
        self._thread.join()

    def _run(self) -> None:
        connection: apsw.Connection | None = None
        while self._requests.get():
            try:
                if connection is None:
                    connection = open_writer(self._path)
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.Error:
                _log.exception("the checkpoint of %s failed; the log grows on", self._path.name)
            self._asked = False
        if connection is not None:
            connection.close()
