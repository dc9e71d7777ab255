-- A subscription. The secret is kept as it is: signing needs it. `events` is a JSON list of names.
CREATE TABLE hook (
    hook_id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    description TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    secret TEXT NOT NULL,
    old_secret TEXT NOT NULL,
    old_until_ms INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What is sent, once for all subscriptions that want it: the event's id is the `webhook-id`.
CREATE TABLE hook_message (
    event_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    occurred_at_ms INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hook_delivery (
    seq INTEGER PRIMARY KEY,
    hook_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    tried_since_ms INTEGER NOT NULL,
    is_taken INTEGER NOT NULL,
    next_at_ms INTEGER NOT NULL,
    last_status INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    UNIQUE (event_id, hook_id)
) STRICT;
CREATE INDEX hook_delivery_due ON hook_delivery (hook_id, next_at_ms, seq)
    WHERE status = 'waiting';
CREATE INDEX hook_delivery_page ON hook_delivery (hook_id, seq);
CREATE INDEX hook_delivery_failed ON hook_delivery (hook_id, seq) WHERE status = 'failed';

CREATE TABLE hook_attempt (
    delivery_seq INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    status INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (delivery_seq, number)
) STRICT, WITHOUT ROWID;
