-- The current state of each return, for lists and look-ups; its order's events are the truth.
-- `details` is the return as JSON.
CREATE TABLE order_return (
    return_id TEXT NOT NULL PRIMARY KEY,
    order_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL,
    currency TEXT NOT NULL,
    refund_minor INTEGER NOT NULL,
    details TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX order_return_of_order ON order_return (order_id, return_id);
CREATE INDEX order_return_by_status ON order_return (status, return_id);
