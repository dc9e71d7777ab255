-- What was healed by hand, by whom and why: written before it is done, so that an attempt leaves its
-- trace, too.
CREATE TABLE healing (
    seq INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
