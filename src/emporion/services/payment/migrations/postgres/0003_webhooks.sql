-- What a provider tells us on its own, as it came: kept before it is acted upon, once for each of its
-- event ids. `due_at_ms`: when to act upon it, or again; null when that is done.
CREATE TABLE webhook (
    provider text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    reference text NOT NULL,
    body bytea NOT NULL,
    received_at_ms bigint NOT NULL,
    due_at_ms bigint,
    attempts bigint NOT NULL,
    last_error text NOT NULL,
    PRIMARY KEY (provider, event_id)
);
CREATE INDEX webhook_due ON webhook (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX webhook_done ON webhook (received_at_ms) WHERE due_at_ms IS NULL;
