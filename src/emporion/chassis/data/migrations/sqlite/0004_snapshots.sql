-- Snapshots of long streams: the state that the events up to `version` add up to, for loading
-- only. `hash` is that event's: a snapshot of another history does not count; `shape` is the
-- code's version of `state`: one of another shape does not count either.
CREATE TABLE snapshot (
    stream TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    shape INTEGER NOT NULL,
    hash BLOB NOT NULL,
    state BLOB NOT NULL
) STRICT, WITHOUT ROWID;
