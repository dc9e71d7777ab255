-- Which log `position` counts in: '' is the outbox itself, otherwise a broker's.
ALTER TABLE bus_cursor ADD COLUMN log text NOT NULL DEFAULT '';

-- The lease: one instance of a service relays its events, the others stand by. `log` is the
-- broker's log to which what counts as sent was sent.
CREATE TABLE relay (
    name     text COLLATE "C" NOT NULL PRIMARY KEY,
    owner    text   NOT NULL,
    until_ms bigint NOT NULL,
    floor    bigint NOT NULL DEFAULT 0,
    log      text   NOT NULL DEFAULT ''
);
