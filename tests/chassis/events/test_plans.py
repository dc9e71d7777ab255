"""No statement of the bus scans a table that grows: each finds its rows by a key."""

import re
from importlib.resources import files

import apsw
import pytest

from emporion.chassis.events import desk, feed, inbox, outbox, sql_tables

PARTS = {"ABOVE_FLOOR", "COLUMNS", "OTHER_KEYS"}
SQL = {
    f"{module.__name__.rpartition('.')[2]}.{name}": sql
    for module in (desk, feed, inbox, outbox, sql_tables)
    for name, sql in vars(module).items()
    if name.isupper() and isinstance(sql, str) and " " in sql
    if name not in PARTS and not name.endswith("POSTGRES")
}
# An operator's commands: once in a while, over what one subscriber has set aside.
RARE = {"desk.REDRIVE", "inbox.UNPARK_AFTER"}
SCAN = re.compile(r"SCAN (outbox|inbox|bus_cursor|parked)|SEARCH parked .*\(subscriber=\?\)$")


def plan(sql: str) -> list[str]:
    connection = apsw.Connection(":memory:")
    folder = files("emporion.chassis.data.migrations") / "sqlite"
    for name in ("0002_events.sql", "0003_broker.sql"):
        connection.execute((folder / name).read_text())
    numbered = [int(number) for number in re.findall(r"\?(\d)", sql)]
    arguments = ["[]"] * max([*numbered, sql.count("?") if not numbered else 0])
    return [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", arguments)]


@pytest.mark.parametrize("name", [*SQL])
def test_a_statement_of_the_bus_finds_its_rows_by_a_key(name):
    scans = [step for step in plan(SQL[name]) if SCAN.match(step)]

    assert not scans or name in RARE, scans


@pytest.mark.parametrize(
    "planted",
    [
        "SELECT 1 FROM outbox WHERE key = ?",
        "UPDATE parked SET attempts = 0 WHERE subscriber = ? AND next_at_ms IS NULL",
    ],
)
def test_a_statement_that_scans_is_found(planted):
    assert any(SCAN.match(step) for step in plan(planted))
