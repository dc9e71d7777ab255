"""The limit of the store: an order's 13 statements in 4 commits over 3 files, and nothing else.

Raw apsw, synchronous=FULL, one writer thread a file, all waiting transactions in one commit.
What a shop adds (HTTP, validation, saga, subscribers, telemetry) is measured against this.
"""

import asyncio
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import uuid_utils
import uvloop

BATCH_MAX = 256
PAYLOAD = b"x" * 250
SCHEMA = """
CREATE TABLE saga (id TEXT PRIMARY KEY, key TEXT UNIQUE, state TEXT, input BLOB) WITHOUT ROWID;
CREATE TABLE event (stream TEXT, version INTEGER, data BLOB, hash BLOB,
    PRIMARY KEY (stream, version)) WITHOUT ROWID;
CREATE TABLE row (id TEXT PRIMARY KEY, user TEXT, state TEXT, total INTEGER) WITHOUT ROWID;
CREATE TABLE level (sku TEXT PRIMARY KEY, on_hand INTEGER, reserved INTEGER) WITHOUT ROWID;
CREATE TABLE ledger (id INTEGER PRIMARY KEY, debit TEXT, credit TEXT, amount INTEGER);
CREATE TABLE outbox (position INTEGER PRIMARY KEY, name TEXT, payload BLOB);
"""
Work = Callable[[Callable[..., object]], None]


class File:
    """One database file with its writer thread."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._connection = apsw.Connection(str(path))
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=1000"):
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        self._connection.execute(SCHEMA)
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT INTO level VALUES (?, 1000000000, 0)", [(f"sku{n}",) for n in range(50)]
        )
        self._connection.execute("COMMIT")
        self._queue: queue.SimpleQueue[tuple[Work, asyncio.Future[None]] | None]
        self._queue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    async def commit(self, work: Work) -> None:
        done: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((work, done))
        await done

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        execute = self._connection.cursor().execute
        while (job := self._queue.get()) is not None:
            batch = [job]
            while len(batch) < BATCH_MAX and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                batch.append(following)
            execute("BEGIN IMMEDIATE")
            for work, _ in batch:
                work(execute)
            execute("COMMIT")
            self._loop.call_soon_threadsafe(_answer, batch)


def _answer(batch: list[tuple[Work, asyncio.Future[None]]]) -> None:
    for _, done in batch:
        done.set_result(None)


async def one_order(orders: File, stock: File, payments: File, number: int) -> None:
    """13 statements, 4 commits."""
    order_id = f"ord_{uuid_utils.uuid7().hex}"
    key = f"usr:{uuid_utils.uuid4().hex}"

    def start(execute: Callable[..., object]) -> None:
        execute("INSERT INTO saga VALUES (?, ?, 'running', ?)", (order_id, key, PAYLOAD))
        execute("INSERT INTO event VALUES (?, 1, ?, ?)", (order_id, PAYLOAD, b"h" * 32))
        execute("INSERT INTO row VALUES (?, 'usr', 'pending', 5)", (order_id,))

    def reserve(execute: Callable[..., object]) -> None:
        take = "UPDATE level SET reserved = reserved + 1 WHERE sku = ? AND on_hand > reserved"
        execute(take, (f"sku{number % 50}",))
        execute("INSERT INTO row VALUES (?, 'usr', 'held', 5)", (order_id,))

    def charge(execute: Callable[..., object]) -> None:
        execute("INSERT INTO event VALUES (?, 1, ?, ?)", (order_id, PAYLOAD, b"h" * 32))
        execute("INSERT INTO row VALUES (?, 'usr', 'captured', 5)", (order_id,))
        execute("INSERT INTO ledger (debit, credit, amount) VALUES ('a', 'b', 5)")
        execute("INSERT INTO outbox (name, payload) VALUES ('n', ?)", (PAYLOAD,))

    def confirm(execute: Callable[..., object]) -> None:
        execute("INSERT INTO event VALUES (?, 2, ?, ?)", (order_id, PAYLOAD, b"h" * 32))
        execute("UPDATE row SET state = 'paid' WHERE id = ?", (order_id,))
        execute("UPDATE saga SET state = 'completed' WHERE id = ?", (order_id,))
        execute("INSERT INTO outbox (name, payload) VALUES ('n', ?)", (PAYLOAD,))

    await orders.commit(start)
    await stock.commit(reserve)
    await payments.commit(charge)
    await orders.commit(confirm)


async def measure(folder: Path, *, in_flight: int, duration_s: float) -> float:
    """Orders per second of the bare store."""
    loop = asyncio.get_running_loop()
    files = [File(folder / f"{name}.sqlite", loop) for name in ("orders", "stock", "payments")]
    end_s = time.monotonic() + duration_s
    done = 0

    async def shopper(number: int) -> None:
        nonlocal done
        while time.monotonic() < end_s:
            await one_order(files[0], files[1], files[2], number)
            number += in_flight
            done += 1

    started_s = time.monotonic()
    await asyncio.gather(*(shopper(number) for number in range(in_flight)))
    rate = done / (time.monotonic() - started_s)
    for file in files:
        file.close()
    return rate


def main() -> None:
    """Measure for `in_flight` given on the command line (default 64) over 5 s."""
    in_flight = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    with tempfile.TemporaryDirectory() as folder:
        rate = uvloop.run(measure(Path(folder), in_flight=in_flight, duration_s=5.0))
    print(f"store limit at {in_flight} in flight: {rate:,.0f} orders/s")


if __name__ == "__main__":
    main()
