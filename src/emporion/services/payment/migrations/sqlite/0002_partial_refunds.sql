-- `parts_minor` of `refunded_minor` went back in parts, so that the order stands without them.
ALTER TABLE payment ADD COLUMN parts_minor INTEGER NOT NULL DEFAULT 0
    CHECK (parts_minor BETWEEN 0 AND refunded_minor);

-- A payment is captured once, and refunded once under each id; an empty id is the undo of all that
-- was left. SQLite cannot widen a unique key: the table is written anew.
CREATE TABLE ledger_transfer_with_parts (
    seq INTEGER PRIMARY KEY,
    payment_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    debit_account TEXT NOT NULL,
    credit_account TEXT NOT NULL CHECK (credit_account <> debit_account),
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    refund_id TEXT NOT NULL DEFAULT '',
    UNIQUE (payment_id, kind, refund_id)
) STRICT;
INSERT INTO ledger_transfer_with_parts
    SELECT seq, payment_id, kind, debit_account, credit_account, amount_minor, currency, at_ms, ''
    FROM ledger_transfer;
DROP TABLE ledger_transfer;
ALTER TABLE ledger_transfer_with_parts RENAME TO ledger_transfer;
