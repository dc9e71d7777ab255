-- Snapshots of long streams: the state that the events up to `version` add up to, for loading
-- only. `hash` is that event's: a snapshot of another history does not count; `shape` is the
-- code's version of `state`: one of another shape does not count either.
CREATE TABLE snapshot (
    stream text COLLATE "C" NOT NULL PRIMARY KEY,
    version integer NOT NULL,
    shape integer NOT NULL,
    hash bytea NOT NULL,
    state bytea NOT NULL
);
