-- A card: of its code only a keyed hash, the name it is found by, and its last characters.
CREATE TABLE gift_card (
    card_id TEXT NOT NULL PRIMARY KEY,
    code_name TEXT NOT NULL UNIQUE,
    code_hash TEXT NOT NULL,
    ending TEXT NOT NULL,
    currency TEXT NOT NULL,
    balance_minor INTEGER NOT NULL CHECK (balance_minor >= 0),
    status TEXT NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    note TEXT NOT NULL,
    issued_at_ms INTEGER NOT NULL,
    issued_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX gift_card_by_status ON gift_card (status, card_id);
CREATE INDEX gift_card_by_expiry ON gift_card (expires_at_ms) WHERE status = 'active';

-- Its ledger: every change of its balance, numbered without a gap. Rows are only added.
CREATE TABLE gift_card_entry (
    card_id TEXT NOT NULL REFERENCES gift_card (card_id),
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    balance_minor INTEGER NOT NULL CHECK (balance_minor >= 0),
    order_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (card_id, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX gift_card_entry_of_order ON gift_card_entry (order_id, card_id)
    WHERE order_id <> '';

-- An order whose spending was undone, perhaps before it arrived, never spends anything again.
CREATE TABLE gift_card_order (
    order_id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    is_spent INTEGER NOT NULL CHECK (is_spent IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE gift_card_spending (
    order_id TEXT NOT NULL REFERENCES gift_card_order (order_id),
    card_id TEXT NOT NULL REFERENCES gift_card (card_id),
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    undone_minor INTEGER NOT NULL DEFAULT 0 CHECK (undone_minor >= 0),
    returned_minor INTEGER NOT NULL DEFAULT 0 CHECK (returned_minor >= 0),
    PRIMARY KEY (order_id, card_id),
    CHECK (undone_minor + returned_minor <= amount_minor)
) STRICT, WITHOUT ROWID;

-- Codes that somebody tried and that do not exist.
CREATE TABLE gift_card_guess (
    user_id TEXT NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL,
    blocked_until_ms INTEGER NOT NULL,
    forgotten_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
