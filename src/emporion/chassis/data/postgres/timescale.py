"""A PostgreSQL database that has the extension TimescaleDB."""

from emporion.chassis.data.postgres.database import PostgresDatabase


class TimescaleDatabase(PostgresDatabase):
    """As any other on PostgreSQL; services that have an adapter for the extension use it."""

    engine = "timescale"
