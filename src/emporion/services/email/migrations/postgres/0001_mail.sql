-- A mail: queued by an event, sent by the sender. `params` is the event it tells of, as JSON;
-- `contact` whom it went to, kept from the moment of sending. One of a template for each order,
-- however often the event comes.
CREATE TABLE mail (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    template text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    attempts integer NOT NULL,
    next_at_ms bigint NOT NULL,
    last_error text NOT NULL,
    params bytea NOT NULL,
    contact bytea,
    created_at_ms bigint NOT NULL,
    sent_at_ms bigint,
    UNIQUE (order_id, template)
);
CREATE INDEX mail_due ON mail (next_at_ms) WHERE status = 'queued';
CREATE INDEX mail_failed ON mail (seq) WHERE status = 'failed';
