-- What was bought together. Everything but `basket` can be counted again from it.
-- `items`: the SKUs that count of an order, as JSON; NULL: the order was called off, maybe before
-- it came.
CREATE TABLE basket (
    order_id text COLLATE "C" PRIMARY KEY,
    items text
);
CREATE TABLE basket_total (orders bigint NOT NULL);
INSERT INTO basket_total VALUES (0);
CREATE TABLE basket_item (
    sku text COLLATE "C" PRIMARY KEY,
    orders bigint NOT NULL
);
CREATE INDEX basket_item_sellers ON basket_item (orders DESC, sku);
-- In how many orders both are; sku < other.
CREATE TABLE basket_pair (
    sku text COLLATE "C" NOT NULL,
    other text COLLATE "C" NOT NULL,
    orders bigint NOT NULL,
    PRIMARY KEY (sku, other)
);
CREATE INDEX basket_pair_other ON basket_pair (other);
