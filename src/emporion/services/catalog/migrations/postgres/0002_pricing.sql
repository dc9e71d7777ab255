-- What is taken off, taxes and ways of delivery are kept as the domain writes them: staff change
-- them a few times a day, and all that is open is read at once.
CREATE TABLE promotion (
    promotion_id text COLLATE "C" NOT NULL PRIMARY KEY,
    definition bytea NOT NULL,
    is_archived integer NOT NULL CHECK (is_archived IN (0, 1)),
    uses bigint NOT NULL DEFAULT 0 CHECK (uses >= 0)
);
CREATE INDEX promotion_open ON promotion (promotion_id) WHERE is_archived = 0;

CREATE TABLE promotion_use (
    promotion_id text COLLATE "C" NOT NULL REFERENCES promotion (promotion_id),
    order_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (promotion_id, order_id)
);
CREATE INDEX promotion_use_of_user ON promotion_use (promotion_id, user_id);

-- An order whose use was undone, perhaps before it arrived, never uses anything again.
CREATE TABLE promotion_order (
    order_id text COLLATE "C" NOT NULL PRIMARY KEY,
    is_used integer NOT NULL CHECK (is_used IN (0, 1))
);

CREATE TABLE country_tax (
    country text COLLATE "C" NOT NULL PRIMARY KEY,
    definition bytea NOT NULL
);

CREATE TABLE delivery (
    delivery_id text COLLATE "C" NOT NULL PRIMARY KEY,
    definition bytea NOT NULL
);
