-- What is remembered of a person (`usr_...`) or of a payment method (`method:<keyed hash>`):
-- MessagePack, bounded by the domain.
CREATE TABLE fraud_trail (
    subject TEXT PRIMARY KEY,
    trail BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- How an order was judged: once, however often its event comes. `facts` (MessagePack) is all
-- that rules may look at, so that other rules can be tried on it.
CREATE TABLE screening (
    order_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    is_held INTEGER NOT NULL,
    score INTEGER NOT NULL,
    threshold INTEGER NOT NULL,
    rules_version INTEGER NOT NULL,
    fired BLOB NOT NULL,
    facts BLOB NOT NULL,
    screened_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX screening_of_user ON screening (user_id, order_id);
CREATE INDEX screening_held ON screening (order_id) WHERE is_held = 1;

CREATE TABLE review (
    order_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    score INTEGER NOT NULL,
    status TEXT NOT NULL,
    opened_at_ms INTEGER NOT NULL,
    decided_at_ms INTEGER,
    decided_by TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX review_queue ON review (status, opened_at_ms, order_id);
CREATE INDEX review_of_user ON review (user_id, status, opened_at_ms, order_id);

-- Versions of the rules, each whole. Version 0 is in the program.
CREATE TABLE fraud_rules (
    version INTEGER PRIMARY KEY,
    rule_set BLOB NOT NULL,
    stored_at_ms INTEGER NOT NULL,
    stored_by TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT;
