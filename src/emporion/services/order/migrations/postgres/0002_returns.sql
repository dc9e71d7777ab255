-- The current state of each return, for lists and look-ups; its order's events are the truth.
-- `details` is the return as JSON.
CREATE TABLE order_return (
    return_id text COLLATE "C" NOT NULL PRIMARY KEY,
    order_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    currency text NOT NULL,
    refund_minor bigint NOT NULL,
    details text NOT NULL,
    updated_at_ms bigint NOT NULL
);
CREATE INDEX order_return_of_order ON order_return (order_id, return_id);
CREATE INDEX order_return_by_status ON order_return (status, return_id);
