-- What a provider tells us on its own, as it came: kept before it is acted upon, once for each of its
-- event ids. `due_at_ms`: when to act upon it, or again; null when that is done.
CREATE TABLE webhook (
    provider TEXT NOT NULL,
    event_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    reference TEXT NOT NULL,
    body BLOB NOT NULL,
    received_at_ms INTEGER NOT NULL,
    due_at_ms INTEGER,
    attempts INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    PRIMARY KEY (provider, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_due ON webhook (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX webhook_done ON webhook (received_at_ms) WHERE due_at_ms IS NULL;
