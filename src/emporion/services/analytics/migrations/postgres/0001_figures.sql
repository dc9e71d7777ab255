-- What happened, once each; everything else here can be counted again from it.
-- `label`: the currency, or why an order was refused. `part`: which refund.
CREATE TABLE fact (
    key text COLLATE "C" NOT NULL,
    what text COLLATE "C" NOT NULL,
    part text COLLATE "C" NOT NULL,
    at_ms bigint NOT NULL,
    label text COLLATE "C" NOT NULL,
    units bigint NOT NULL,
    amount_minor bigint NOT NULL,
    PRIMARY KEY (key, what, part)
);
-- How much of it was in the minute (60) or quarter of an hour (900) that begins at `at_s`.
CREATE TABLE tally (
    grain_s bigint NOT NULL,
    at_s bigint NOT NULL,
    what text COLLATE "C" NOT NULL,
    label text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    units bigint NOT NULL,
    amount_minor bigint NOT NULL,
    PRIMARY KEY (grain_s, at_s, what, label)
);
CREATE TABLE product_tally (
    at_s bigint NOT NULL,
    currency text COLLATE "C" NOT NULL,
    sku text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    units bigint NOT NULL,
    amount_minor bigint NOT NULL,
    PRIMARY KEY (at_s, currency, sku)
);
