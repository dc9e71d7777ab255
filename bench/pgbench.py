"""PostgreSQL's own limit: pgbench doing an order's writes as 4 transactions, and nothing else.

The server is started as `emporion split` starts its own: the same program, the same settings, every
commit waits for the disk. What a split shop adds (HTTP, gRPC, sagas, broker) is measured against
it. `python -m bench.pgbench [SECONDS]` prints the limit alone.
"""

import asyncio
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from emporion.platform.engines.binaries import postgres_program
from emporion.platform.engines.postgres import PostgresServer
from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.supervisor.part import NotReady

SERVICE = "bench"
CLIENTS = (16, 64)
PROBE_S = 0.1
SCHEMA = """
CREATE TABLE saga (id text PRIMARY KEY, key text UNIQUE, state text, input text);
CREATE TABLE event (position bigserial PRIMARY KEY, stream text, version int, data text,
    hash text, UNIQUE (stream, version));
CREATE TABLE row (id text PRIMARY KEY, owner text, state text, total int);
CREATE TABLE hold (id text PRIMARY KEY, sku text, state text, units int);
CREATE TABLE capture (id text PRIMARY KEY, owner text, state text, total int);
CREATE TABLE level (sku text PRIMARY KEY, on_hand int, reserved int);
CREATE TABLE ledger (id bigserial PRIMARY KEY, debit text, credit text, amount int);
INSERT INTO level SELECT n::text, 1000000000, 0 FROM generate_series(0, 999) n;
"""
STEPS = (
    # start: the saga, its first event, the order
    """WITH s AS (INSERT INTO saga VALUES (:id, :id, 'running', repeat('x', 250))),
    e AS (INSERT INTO event (stream, version, data, hash) VALUES (:id, 1, repeat('x', 250), 'h'))
    INSERT INTO row VALUES (:id, 'usr', 'pending', 5);""",
    # reserve: one level, one hold
    """WITH u AS (UPDATE level SET reserved = reserved + 1
    WHERE sku = :sku::text AND on_hand > reserved)
    INSERT INTO hold VALUES (:id, :sku::text, 'held', 1);""",
    # charge: an event, the capture, the ledger
    """WITH e AS (INSERT INTO event (stream, version, data, hash)
    VALUES ('p' || :id, 1, repeat('x', 250), 'h')),
    l AS (INSERT INTO ledger (debit, credit, amount) VALUES ('a', 'b', 5))
    INSERT INTO capture VALUES (:id, 'usr', 'captured', 5);""",
    # confirm: the second event, the order and the saga to their end
    """WITH e AS (INSERT INTO event (stream, version, data, hash)
    VALUES (:id, 2, repeat('x', 250), 'h')), r AS (UPDATE row SET state = 'paid' WHERE id = :id)
    UPDATE saga SET state = 'completed' WHERE id = :id;""",
)
_TPS = re.compile(r"tps = ([\d.]+)")


@contextmanager
def server() -> Iterator[str]:
    """A PostgreSQL server as the shop's, with the tables; the URL of their database."""
    with tempfile.TemporaryDirectory(prefix="emporion-pgbench-") as name:
        data = Path(name)
        data.chmod(0o755)
        for folder in ("logs", "run"):
            (data / folder).mkdir()
        part = PostgresServer(data, [SERVICE], SecretsFile.open(data))
        command = asyncio.run(part.prepare())
        with command.log.open("ab") as log:
            process = subprocess.Popen(command.leashed(), stdout=log, stderr=log)
        try:
            asyncio.run(_furnish(part, process))
            yield part.address_of(SERVICE)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


async def _furnish(part: PostgresServer, process: "subprocess.Popen[bytes]") -> None:
    while True:
        assert process.poll() is None, "PostgreSQL ended"
        try:
            await part.probe()
            break
        except NotReady:
            await asyncio.sleep(PROBE_S)
    await part.furnish()
    connection = await asyncpg.connect(part.address_of(SERVICE))
    try:
        await connection.execute(SCHEMA)
    finally:
        await connection.close()


def limit(duration_s: float) -> tuple[float, int]:
    """Orders per second of the bare server, and with how many connections: the best of a few."""
    with server() as url, tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "order.sql"
        script.write_text(_script())
        return max((_run(url, script, clients, duration_s), clients) for clients in CLIENTS)


def _script() -> str:
    # A number is an id as good as any: pgbench has no text variables.
    lines = ["\\set number random(1, 9000000000000000000)", "\\set sku random(0, 999)"]
    steps = (step.replace(":id", ":number::text").replace("\n", " ") for step in STEPS)
    return "\n".join([*lines, *steps, ""])


def _run(url: str, script: Path, clients: int, duration_s: float) -> float:
    program = postgres_program("pgbench")
    done = subprocess.run(
        [
            str(program), "--no-vacuum", "--protocol=prepared", f"--client={clients}", "--jobs=2",
            f"--time={max(1, round(duration_s))}", f"--file={script}", url,
        ],
        capture_output=True,
        text=True,
        check=False,
        env={"LD_LIBRARY_PATH": str(program.parents[1] / "lib"), "LC_ALL": "C"},
    )  # fmt: skip
    found = _TPS.search(done.stdout)
    assert found, done.stderr
    assert done.returncode == 0, done.stderr
    return float(found[1])


def main() -> None:
    """Print the limit."""
    rate, clients = limit(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
    print(f"pgbench, 4 transactions an order: {rate:,.0f} orders/s at {clients} connections")


if __name__ == "__main__":
    main()
