-- A subscription. The secret is kept as it is: signing needs it. `events` is a JSON list of names.
CREATE TABLE hook (
    hook_id text COLLATE "C" PRIMARY KEY,
    url text NOT NULL,
    events text NOT NULL,
    description text NOT NULL,
    status text NOT NULL,
    reason text NOT NULL,
    secret text NOT NULL,
    old_secret text NOT NULL,
    old_until_ms bigint NOT NULL,
    since_ms bigint NOT NULL,
    created_at_ms bigint NOT NULL,
    created_by text NOT NULL
);

-- What is sent, once for all subscriptions that want it: the event's id is the `webhook-id`.
CREATE TABLE hook_message (
    event_id text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    key text NOT NULL,
    occurred_at_ms bigint NOT NULL,
    body bytea NOT NULL
);

CREATE TABLE hook_delivery (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hook_id text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    attempts bigint NOT NULL,
    tried_since_ms bigint NOT NULL,
    is_taken bigint NOT NULL,
    next_at_ms bigint NOT NULL,
    last_status bigint NOT NULL,
    last_error text NOT NULL,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    UNIQUE (event_id, hook_id)
);
CREATE INDEX hook_delivery_due ON hook_delivery (hook_id, next_at_ms, seq)
    WHERE status = 'waiting';
CREATE INDEX hook_delivery_page ON hook_delivery (hook_id, seq);
CREATE INDEX hook_delivery_failed ON hook_delivery (hook_id, seq) WHERE status = 'failed';

CREATE TABLE hook_attempt (
    delivery_seq bigint NOT NULL,
    number bigint NOT NULL,
    at_ms bigint NOT NULL,
    status bigint NOT NULL,
    duration_ms bigint NOT NULL,
    error text NOT NULL,
    PRIMARY KEY (delivery_seq, number)
);
