-- The event store: streams of domain events. (stream, version) is the optimistic lock; each
-- event's hash covers the one before, so that an edited or removed event is found.
CREATE TABLE event (
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    type TEXT NOT NULL,
    data BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (stream, version)
) STRICT, WITHOUT ROWID;

-- Sagas: one row each, written at the start, at a turn to compensation and at the end.
CREATE TABLE saga (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    state TEXT NOT NULL,
    step INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    input BLOB NOT NULL,
    refusal BLOB,
    last_error TEXT NOT NULL,
    next_at_ms INTEGER NOT NULL,
    started_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    traceparent TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX saga_key ON saga (key);
CREATE INDEX saga_open ON saga (next_at_ms) WHERE state IN ('running', 'compensating');

-- Idempotency keys of commands that are no sagas, stored with their effect.
CREATE TABLE idempotency (
    key TEXT NOT NULL PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at_ms);
