-- Accounts. email_key is the address with all cases folded: one account each.
CREATE TABLE account (
    user_id text COLLATE "C" NOT NULL PRIMARY KEY,
    email text NOT NULL,
    email_key text COLLATE "C" NOT NULL,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('customer', 'operator')),
    password_hash text NOT NULL,
    locale text NOT NULL,
    time_zone text NOT NULL,
    wants_news integer NOT NULL CHECK (wants_news IN (0, 1)),
    created_at_ms bigint NOT NULL
);
CREATE UNIQUE INDEX account_email ON account (email_key);

-- Sessions: one row per family of refresh tokens, with the SHA-256 of the one that is good.
CREATE TABLE session (
    session_id text COLLATE "C" NOT NULL PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    token_hash bytea NOT NULL,
    started_at_ms bigint NOT NULL,
    expires_at_ms bigint NOT NULL
);
CREATE INDEX session_user_expiry ON session (user_id, expires_at_ms);
CREATE INDEX session_expiry ON session (expires_at_ms);

-- Failed sign-ins by the SHA-256 of the folded address, whether or not it has an account.
CREATE TABLE sign_in_attempt (
    address bytea NOT NULL PRIMARY KEY,
    failures integer NOT NULL,
    blocked_until_ms bigint NOT NULL,
    forgotten_at_ms bigint NOT NULL
);
CREATE INDEX sign_in_attempt_forgotten ON sign_in_attempt (forgotten_at_ms);

-- Key pairs that sign access tokens; the private half is not encrypted: guard this database.
CREATE TABLE signing_key (
    kid text COLLATE "C" NOT NULL PRIMARY KEY,
    signs_from_ms bigint NOT NULL,
    pair text NOT NULL
);
