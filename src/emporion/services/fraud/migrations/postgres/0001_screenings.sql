-- What is remembered of a person (`usr_...`) or of a payment method (`method:<keyed hash>`):
-- MessagePack, bounded by the domain.
CREATE TABLE fraud_trail (
    subject text COLLATE "C" PRIMARY KEY,
    trail bytea NOT NULL
);

-- How an order was judged: once, however often its event comes. `facts` (MessagePack) is all
-- that rules may look at, so that other rules can be tried on it.
CREATE TABLE screening (
    order_id text COLLATE "C" PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    is_held integer NOT NULL,
    score integer NOT NULL,
    threshold integer NOT NULL,
    rules_version integer NOT NULL,
    fired bytea NOT NULL,
    facts bytea NOT NULL,
    screened_at_ms bigint NOT NULL
);
CREATE INDEX screening_of_user ON screening (user_id, order_id);
CREATE INDEX screening_held ON screening (order_id) WHERE is_held = 1;

CREATE TABLE review (
    order_id text COLLATE "C" PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    score integer NOT NULL,
    status text NOT NULL,
    opened_at_ms bigint NOT NULL,
    decided_at_ms bigint,
    decided_by text NOT NULL,
    reason text NOT NULL
);
CREATE INDEX review_queue ON review (status, opened_at_ms, order_id);
CREATE INDEX review_of_user ON review (user_id, status, opened_at_ms, order_id);

-- Versions of the rules, each whole. Version 0 is in the program.
CREATE TABLE fraud_rules (
    version bigint PRIMARY KEY,
    rule_set bytea NOT NULL,
    stored_at_ms bigint NOT NULL,
    stored_by text NOT NULL,
    note text NOT NULL
);
