-- What is to be sent for each paid order. `allocations` is inventory's, as JSON [[sku, warehouse,
-- quantity], ...], asked for when somebody first wants to ship; NULL until then. `user_id` is empty
-- while only its screening has been heard of.
CREATE TABLE fulfilment (
    order_id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL,
    allocations TEXT,
    released_by TEXT NOT NULL DEFAULT '',
    release_reason TEXT NOT NULL DEFAULT '',
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX fulfilment_by_status ON fulfilment (status, order_id);

-- Units that leave one warehouse together; `lines` is JSON [[sku, quantity], ...].
CREATE TABLE shipment (
    shipment_id TEXT NOT NULL PRIMARY KEY,
    order_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    warehouse_id TEXT NOT NULL,
    status TEXT NOT NULL,
    lines TEXT NOT NULL,
    carrier TEXT NOT NULL,
    tracking_number TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    shipped_at_ms INTEGER,
    delivered_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX shipment_of_order ON shipment (order_id, shipment_id);
CREATE INDEX shipment_by_status ON shipment (status, shipment_id);
