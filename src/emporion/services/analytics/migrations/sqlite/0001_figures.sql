-- What happened, once each; everything else here can be counted again from it.
-- `label`: the currency, or why an order was refused. `part`: which refund.
CREATE TABLE fact (
    key TEXT NOT NULL,
    what TEXT NOT NULL,
    part TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    label TEXT NOT NULL,
    units INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    PRIMARY KEY (key, what, part)
) STRICT, WITHOUT ROWID;
-- How much of it was in the minute (60) or quarter of an hour (900) that begins at `at_s`.
CREATE TABLE tally (
    grain_s INTEGER NOT NULL,
    at_s INTEGER NOT NULL,
    what TEXT NOT NULL,
    label TEXT NOT NULL,
    number INTEGER NOT NULL,
    units INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    PRIMARY KEY (grain_s, at_s, what, label)
) STRICT, WITHOUT ROWID;
CREATE TABLE product_tally (
    at_s INTEGER NOT NULL,
    currency TEXT NOT NULL,
    sku TEXT NOT NULL,
    number INTEGER NOT NULL,
    units INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    PRIMARY KEY (at_s, currency, sku)
) STRICT, WITHOUT ROWID;
