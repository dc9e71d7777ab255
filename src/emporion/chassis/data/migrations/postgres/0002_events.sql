-- Publishing: what this service announced. `position` is made of the number of the transaction
-- that published and the event's place within it (plus `outbox_base`): readers that stop below
-- the oldest open transaction can pass by nothing. `xid` is that number by itself; `sent_at_ms`
-- is for a relay to a broker: NULL until the broker has it.
CREATE TABLE outbox (
    position       bigint NOT NULL PRIMARY KEY,
    event_id       text COLLATE "C" NOT NULL,
    name           text   NOT NULL,
    topic          text   NOT NULL,
    key            text COLLATE "C" NOT NULL,
    occurred_at_ms bigint NOT NULL,
    payload        bytea  NOT NULL,
    xid            xid8   NOT NULL DEFAULT pg_current_xact_id(),
    sent_at_ms     bigint
);
CREATE INDEX outbox_unsent ON outbox (position) WHERE sent_at_ms IS NULL;

-- One row: what positions begin at since the database came to this server.
CREATE TABLE outbox_base (
    only_one smallint NOT NULL PRIMARY KEY CHECK (only_one = 1),
    base     bigint   NOT NULL
);
INSERT INTO outbox_base VALUES (1, 0);

-- Subscribing: the events whose effects are in this database. Written in the same transaction as
-- those effects. `subscriber` carries the generation of a replay (`email`, `email#2`).
CREATE TABLE inbox (
    subscriber    text COLLATE "C" NOT NULL,
    event_id      text COLLATE "C" NOT NULL,
    handled_at_ms bigint NOT NULL,
    PRIMARY KEY (subscriber, event_id)
);

-- How far this service has read each publisher's outbox.
CREATE TABLE bus_cursor (
    source        text COLLATE "C" NOT NULL,
    subscriber    text COLLATE "C" NOT NULL,
    position      bigint  NOT NULL,
    generation    integer NOT NULL,
    is_paused     integer NOT NULL,
    updated_at_ms bigint  NOT NULL,
    PRIMARY KEY (source, subscriber)
);

-- Events put aside: the first of a key failed and waits for `next_at_ms`; later ones of the key
-- queue behind it with `next_at_ms` NULL; a dead one waits for an operator and blocks nothing.
CREATE TABLE parked (
    subscriber         text COLLATE "C" NOT NULL,
    source             text COLLATE "C" NOT NULL,
    position           bigint  NOT NULL,
    event_id           text COLLATE "C" NOT NULL,
    name               text    NOT NULL,
    key                text COLLATE "C" NOT NULL,
    occurred_at_ms     bigint  NOT NULL,
    payload            bytea   NOT NULL,
    status             text    NOT NULL CHECK (status IN ('waiting', 'dead')),
    attempts           integer NOT NULL,
    first_failed_at_ms bigint,
    next_at_ms         bigint,
    last_error         text    NOT NULL,
    PRIMARY KEY (subscriber, event_id)
);
CREATE INDEX parked_by_key ON parked (subscriber, source, key, position) WHERE status = 'waiting';
CREATE INDEX parked_by_due ON parked (subscriber, source, next_at_ms) WHERE next_at_ms IS NOT NULL;
CREATE INDEX parked_by_status ON parked (subscriber, status, event_id, source);
