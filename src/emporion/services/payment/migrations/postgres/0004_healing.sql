-- What was healed by hand, by whom and why: written before it is done, so that an attempt leaves its
-- trace, too.
CREATE TABLE healing (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id text NOT NULL,
    kind text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    at_ms bigint NOT NULL
);
