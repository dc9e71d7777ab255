-- The name of the secret that wraps a key; empty: from before names were written down.
ALTER TABLE person_key ADD COLUMN wrapped_by text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX person_key_wrapped_by ON person_key (wrapped_by, person_id) WHERE wrapped IS NOT NULL;
