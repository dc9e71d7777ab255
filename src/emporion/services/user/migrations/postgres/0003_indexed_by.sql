-- The name of the secret with which an address was made its index; empty: from before names were kept.
ALTER TABLE account ADD COLUMN indexed_by text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX account_indexed_by ON account (indexed_by, user_id)
    WHERE erased_at_ms IS NULL AND is_sealed = 1;
