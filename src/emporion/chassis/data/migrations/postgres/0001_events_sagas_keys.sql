-- Text that is compared or sorted is sorted by its bytes ("C"), as on every other engine.

-- The event store: streams of domain events. (stream, version) is the optimistic lock; each
-- event's hash covers the one before, so that an edited or removed event is found.
CREATE TABLE event (
    stream text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    type text NOT NULL,
    data bytea NOT NULL,
    at_ms bigint NOT NULL,
    actor text NOT NULL,
    trace_id text NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (stream, version)
);

-- Sagas: one row each, written at the start, at a turn to compensation and at the end. `owner` is
-- the instance that works on it; until `next_at_ms` nobody else takes it up.
CREATE TABLE saga (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    name text NOT NULL,
    version integer NOT NULL,
    key text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    state text NOT NULL,
    step integer NOT NULL,
    attempts integer NOT NULL,
    input bytea NOT NULL,
    refusal bytea,
    last_error text NOT NULL,
    next_at_ms bigint NOT NULL,
    started_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    traceparent text NOT NULL,
    owner text COLLATE "C" NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX saga_key ON saga (key);
CREATE INDEX saga_open ON saga (next_at_ms) WHERE state IN ('running', 'compensating');

-- Idempotency keys of commands that are no sagas, stored with their effect.
CREATE TABLE idempotency (
    key text COLLATE "C" NOT NULL PRIMARY KEY,
    fingerprint bytea NOT NULL,
    at_ms bigint NOT NULL
);
CREATE INDEX idempotency_at ON idempotency (at_ms);
