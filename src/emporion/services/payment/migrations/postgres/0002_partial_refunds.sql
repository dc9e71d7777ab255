-- `parts_minor` of `refunded_minor` went back in parts, so that the order stands without them.
ALTER TABLE payment ADD COLUMN parts_minor bigint NOT NULL DEFAULT 0
    CHECK (parts_minor BETWEEN 0 AND refunded_minor);

-- A payment is captured once, and refunded once under each id; an empty id is the undo of all that
-- was left. The new key comes before the old one goes, so that there is always one.
ALTER TABLE ledger_transfer ADD COLUMN refund_id text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE ledger_transfer ADD UNIQUE (payment_id, kind, refund_id);
ALTER TABLE ledger_transfer DROP CONSTRAINT ledger_transfer_payment_id_kind_key;
