-- One order, one payment: the row is what the payment's events add up to. `recheck_at_ms`: when
-- to ask the provider again whether it took money for a payment that was voided.
CREATE TABLE payment (
    order_id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    refunded_minor INTEGER NOT NULL CHECK (refunded_minor BETWEEN 0 AND amount_minor),
    reference TEXT NOT NULL,
    decline_reason TEXT NOT NULL,
    recheck_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX payment_recheck ON payment (recheck_at_ms) WHERE recheck_at_ms IS NOT NULL;
-- Nearly all payments are captured: a list of the others must not read through those.
CREATE INDEX payment_unusual ON payment (status, order_id) WHERE status <> 'captured';

-- The ledger: a row is a whole transfer, a debit and a credit of the same amount, so no side can
-- be missing. The unique key lets a payment be captured once and refunded once, whatever happens.
CREATE TABLE ledger_transfer (
    seq INTEGER PRIMARY KEY,
    payment_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    debit_account TEXT NOT NULL,
    credit_account TEXT NOT NULL CHECK (credit_account <> debit_account),
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    UNIQUE (payment_id, kind)
) STRICT;
