-- The current state of each order, for lists and look-ups; the events are the truth.
CREATE TABLE orders (
    order_id text COLLATE "C" NOT NULL PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    version integer NOT NULL,
    total_minor bigint NOT NULL,
    currency text NOT NULL,
    units bigint NOT NULL,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL
);
CREATE INDEX orders_of_user ON orders (user_id, order_id);

-- One row for each line, so that parallel adds meet in one UPDATE and none is lost.
CREATE TABLE cart_line (
    user_id text COLLATE "C" NOT NULL,
    sku text COLLATE "C" NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    added_at_ms bigint NOT NULL,
    PRIMARY KEY (user_id, sku)
);
