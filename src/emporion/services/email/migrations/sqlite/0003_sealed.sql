-- From here on `contact` is sealed with the key of the person, which is not in this database. Mails
-- from before are sealed by the service, in batches; `is_sealed` says which are.
ALTER TABLE mail ADD COLUMN is_sealed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX mail_readable ON mail (seq) WHERE contact IS NOT NULL AND is_sealed = 0;
