-- One order, one payment: the row is what the payment's events add up to. `recheck_at_ms`: when
-- to ask the provider again whether it took money for a payment that was voided.
CREATE TABLE payment (
    order_id text COLLATE "C" NOT NULL PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    refunded_minor bigint NOT NULL CHECK (refunded_minor BETWEEN 0 AND amount_minor),
    reference text NOT NULL,
    decline_reason text NOT NULL,
    recheck_at_ms bigint,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL
);
CREATE INDEX payment_recheck ON payment (recheck_at_ms) WHERE recheck_at_ms IS NOT NULL;
-- Nearly all payments are captured: a list of the others must not read through those.
CREATE INDEX payment_unusual ON payment (status, order_id) WHERE status <> 'captured';

-- The ledger: a row is a whole transfer, a debit and a credit of the same amount, so no side can
-- be missing. The unique key lets a payment be captured once and refunded once, whatever happens.
CREATE TABLE ledger_transfer (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    debit_account text COLLATE "C" NOT NULL,
    credit_account text COLLATE "C" NOT NULL CHECK (credit_account <> debit_account),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    at_ms bigint NOT NULL,
    UNIQUE (payment_id, kind)
);
