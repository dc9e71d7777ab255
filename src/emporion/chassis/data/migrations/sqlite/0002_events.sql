-- Publishing: the log of what this service announced. One writer per file: `position` is assigned
-- in commit order and without gaps. The newest row is never deleted, so a position is never
-- given twice.
CREATE TABLE outbox (
    position       INTEGER PRIMARY KEY,
    event_id       TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    topic          TEXT    NOT NULL,
    key            TEXT    NOT NULL,
    occurred_at_ms INTEGER NOT NULL,
    payload        BLOB    NOT NULL
) STRICT;

-- Subscribing: the events whose effects are in this database. Written in the same transaction as
-- those effects. `subscriber` carries the generation of a replay (`email`, `email#2`).
CREATE TABLE inbox (
    subscriber    TEXT    NOT NULL,
    event_id      TEXT    NOT NULL,
    handled_at_ms INTEGER NOT NULL,
    PRIMARY KEY (subscriber, event_id)
) STRICT, WITHOUT ROWID;

-- How far this service has read each publisher's outbox.
CREATE TABLE bus_cursor (
    source        TEXT    NOT NULL,
    subscriber    TEXT    NOT NULL,
    position      INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    is_paused     INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (source, subscriber)
) STRICT, WITHOUT ROWID;

-- Events put aside: the first of a key failed and waits for `next_at_ms`; later ones of the key
-- queue behind it with `next_at_ms` NULL; a dead one waits for an operator and blocks nothing.
CREATE TABLE parked (
    subscriber         TEXT    NOT NULL,
    source             TEXT    NOT NULL,
    position           INTEGER NOT NULL,
    event_id           TEXT    NOT NULL,
    name               TEXT    NOT NULL,
    key                TEXT    NOT NULL,
    occurred_at_ms     INTEGER NOT NULL,
    payload            BLOB    NOT NULL,
    status             TEXT    NOT NULL CHECK (status IN ('waiting', 'dead')),
    attempts           INTEGER NOT NULL,
    first_failed_at_ms INTEGER,
    next_at_ms         INTEGER,
    last_error         TEXT    NOT NULL,
    PRIMARY KEY (subscriber, event_id)
) STRICT;

CREATE INDEX parked_by_key ON parked (subscriber, source, key, position) WHERE status = 'waiting';
CREATE INDEX parked_by_due ON parked (subscriber, source, next_at_ms) WHERE next_at_ms IS NOT NULL;
CREATE INDEX parked_by_status ON parked (subscriber, status, event_id, source);
