-- From here on `email` and `name` are sealed with the key of the person, which is not in this
-- database, and `email_key` is an HMAC of the address. Accounts from before are sealed by the
-- service, in batches; `is_sealed` says which are.
ALTER TABLE account ADD COLUMN is_sealed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN erased_at_ms INTEGER;
CREATE INDEX account_readable ON account (user_id) WHERE is_sealed = 0;

-- Who was erased, on whose word, and why; `done_at_ms` is set once their key is destroyed.
CREATE TABLE erasure (
    user_id TEXT NOT NULL PRIMARY KEY,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    asked_at_ms INTEGER NOT NULL,
    done_at_ms INTEGER
) STRICT, WITHOUT ROWID;
