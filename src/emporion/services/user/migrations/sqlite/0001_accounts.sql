-- Accounts. email_key is the address with all cases folded: one account each.
CREATE TABLE account (
    user_id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('customer', 'operator')),
    password_hash TEXT NOT NULL,
    locale TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    wants_news INTEGER NOT NULL CHECK (wants_news IN (0, 1)),
    created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX account_email ON account (email_key);

-- Sessions: one row per family of refresh tokens, with the SHA-256 of the one that is good.
CREATE TABLE session (
    session_id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    token_hash BLOB NOT NULL,
    started_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_user ON session (user_id, expires_at_ms);
CREATE INDEX session_expiry ON session (expires_at_ms);

-- Failed sign-ins by the SHA-256 of the folded address, whether or not it has an account.
CREATE TABLE sign_in_attempt (
    address BLOB NOT NULL PRIMARY KEY,
    failures INTEGER NOT NULL,
    blocked_until_ms INTEGER NOT NULL,
    forgotten_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_attempt_forgotten ON sign_in_attempt (forgotten_at_ms);

-- Key pairs that sign access tokens; the private half is not encrypted: guard this file.
CREATE TABLE signing_key (
    kid TEXT NOT NULL PRIMARY KEY,
    signs_from_ms INTEGER NOT NULL,
    pair TEXT NOT NULL
) STRICT, WITHOUT ROWID;
