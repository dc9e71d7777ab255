-- The current state of each order, for lists and look-ups; the events are the truth.
CREATE TABLE orders (
    order_id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    total_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    units INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_of_user ON orders (user_id, order_id);

-- One row for each line, so that parallel adds meet in one UPDATE and none is lost.
CREATE TABLE cart_line (
    user_id TEXT NOT NULL,
    sku TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    added_at_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, sku)
) STRICT, WITHOUT ROWID;
