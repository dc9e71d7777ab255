-- A card: of its code only a keyed hash, the name it is found by, and its last characters.
CREATE TABLE gift_card (
    card_id text COLLATE "C" NOT NULL PRIMARY KEY,
    code_name text COLLATE "C" NOT NULL UNIQUE,
    code_hash text COLLATE "C" NOT NULL,
    ending text NOT NULL,
    currency text NOT NULL,
    balance_minor bigint NOT NULL CHECK (balance_minor >= 0),
    status text COLLATE "C" NOT NULL,
    expires_at_ms bigint NOT NULL,
    version bigint NOT NULL,
    note text NOT NULL,
    issued_at_ms bigint NOT NULL,
    issued_by text NOT NULL
);
CREATE INDEX gift_card_by_status ON gift_card (status, card_id);
CREATE INDEX gift_card_by_expiry ON gift_card (expires_at_ms) WHERE status = 'active';

-- Its ledger: every change of its balance, numbered without a gap. Rows are only added.
CREATE TABLE gift_card_entry (
    card_id text COLLATE "C" NOT NULL REFERENCES gift_card (card_id),
    version bigint NOT NULL,
    kind text NOT NULL,
    amount_minor bigint NOT NULL,
    balance_minor bigint NOT NULL CHECK (balance_minor >= 0),
    order_id text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    at_ms bigint NOT NULL,
    PRIMARY KEY (card_id, version)
);
CREATE INDEX gift_card_entry_of_order ON gift_card_entry (order_id, card_id)
    WHERE order_id <> '';

-- An order whose spending was undone, perhaps before it arrived, never spends anything again.
CREATE TABLE gift_card_order (
    order_id text COLLATE "C" NOT NULL PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    is_spent integer NOT NULL CHECK (is_spent IN (0, 1))
);

CREATE TABLE gift_card_spending (
    order_id text COLLATE "C" NOT NULL REFERENCES gift_card_order (order_id),
    card_id text COLLATE "C" NOT NULL REFERENCES gift_card (card_id),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    undone_minor bigint NOT NULL DEFAULT 0 CHECK (undone_minor >= 0),
    returned_minor bigint NOT NULL DEFAULT 0 CHECK (returned_minor >= 0),
    PRIMARY KEY (order_id, card_id),
    CHECK (undone_minor + returned_minor <= amount_minor)
);

-- Codes that somebody tried and that do not exist.
CREATE TABLE gift_card_guess (
    user_id text COLLATE "C" NOT NULL PRIMARY KEY,
    number bigint NOT NULL,
    blocked_until_ms bigint NOT NULL,
    forgotten_at_ms bigint NOT NULL
);
