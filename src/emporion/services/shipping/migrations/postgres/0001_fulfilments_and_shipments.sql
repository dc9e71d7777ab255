-- What is to be sent for each paid order. `allocations` is inventory's, as JSON [[sku, warehouse,
-- quantity], ...], asked for when somebody first wants to ship; NULL until then. `user_id` is empty
-- while only its screening has been heard of.
CREATE TABLE fulfilment (
    order_id text COLLATE "C" NOT NULL PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    allocations text,
    released_by text NOT NULL DEFAULT '',
    release_reason text NOT NULL DEFAULT '',
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL
);
CREATE INDEX fulfilment_by_status ON fulfilment (status, order_id);

-- Units that leave one warehouse together; `lines` is JSON [[sku, quantity], ...].
CREATE TABLE shipment (
    shipment_id text COLLATE "C" NOT NULL PRIMARY KEY,
    order_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    warehouse_id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    lines text NOT NULL,
    carrier text NOT NULL,
    tracking_number text NOT NULL,
    created_at_ms bigint NOT NULL,
    shipped_at_ms bigint,
    delivered_at_ms bigint
);
CREATE INDEX shipment_of_order ON shipment (order_id, shipment_id);
CREATE INDEX shipment_by_status ON shipment (status, shipment_id);
