-- Publishing over a broker: when it acknowledged an event; NULL: not yet. No index: `floor` below
-- says where to begin to look, and a shop in one process pays nothing for what it does not use.
ALTER TABLE outbox ADD COLUMN sent_at_ms INTEGER;

-- Which log the position counts in: '' is the publisher's outbox itself, a broker names its own.
ALTER TABLE bus_cursor ADD COLUMN log TEXT NOT NULL DEFAULT '';

-- Who, of several instances of this service, carries its events now, and until when. Up to `floor`
-- every event was sent to `log`.
CREATE TABLE relay (
    name     TEXT    NOT NULL PRIMARY KEY,
    owner    TEXT    NOT NULL,
    until_ms INTEGER NOT NULL,
    floor    INTEGER NOT NULL DEFAULT 0,
    log      TEXT    NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
