-- A mail: queued by an event, sent by the sender. `params` is the event it tells of, as JSON;
-- `contact` whom it went to, kept from the moment of sending. One of a template for each order,
-- however often the event comes.
CREATE TABLE mail (
    seq INTEGER PRIMARY KEY,
    template TEXT NOT NULL,
    order_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_at_ms INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    params BLOB NOT NULL,
    contact BLOB,
    created_at_ms INTEGER NOT NULL,
    sent_at_ms INTEGER,
    UNIQUE (order_id, template)
) STRICT;
CREATE INDEX mail_due ON mail (next_at_ms) WHERE status = 'queued';
CREATE INDEX mail_failed ON mail (seq) WHERE status = 'failed';
