-- What was bought together. Everything but `basket` can be counted again from it.
-- `items`: the SKUs that count of an order, as JSON; NULL: the order was called off, maybe before
-- it came.
CREATE TABLE basket (
    order_id TEXT PRIMARY KEY,
    items TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE basket_total (orders INTEGER NOT NULL) STRICT;
INSERT INTO basket_total VALUES (0);
CREATE TABLE basket_item (
    sku TEXT PRIMARY KEY,
    orders INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX basket_item_sellers ON basket_item (orders DESC, sku);
-- In how many orders both are; sku < other.
CREATE TABLE basket_pair (
    sku TEXT NOT NULL,
    other TEXT NOT NULL,
    orders INTEGER NOT NULL,
    PRIMARY KEY (sku, other)
) STRICT, WITHOUT ROWID;
CREATE INDEX basket_pair_other ON basket_pair (other);
