CREATE TABLE warehouse (
    warehouse_id text COLLATE "C" NOT NULL PRIMARY KEY,
    name text NOT NULL,
    priority integer NOT NULL
);

-- `reserved` units are held for orders (open holds); shipping will lower both numbers together.
CREATE TABLE level (
    sku text COLLATE "C" NOT NULL,
    warehouse_id text COLLATE "C" NOT NULL REFERENCES warehouse (warehouse_id),
    on_hand bigint NOT NULL CHECK (on_hand >= 0),
    reserved bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (sku, warehouse_id),
    CHECK (reserved >= 0 AND reserved <= on_hand)
) WITH (fillfactor = 50); -- a few rows change all the time: new versions stay on their page
CREATE INDEX level_of_warehouse ON level (warehouse_id, sku);

-- Append-only: their sum is the level.
CREATE TABLE movement (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    movement_key text COLLATE "C" NOT NULL UNIQUE,
    sku text COLLATE "C" NOT NULL,
    warehouse_id text COLLATE "C" NOT NULL,
    quantity bigint NOT NULL CHECK (quantity <> 0),
    reason text NOT NULL,
    note text NOT NULL,
    moved_at_ms bigint NOT NULL
);
CREATE INDEX movement_of_sku ON movement (sku, seq);
CREATE INDEX movement_of_warehouse ON movement (warehouse_id, seq);

CREATE FUNCTION refuse_change_of_movement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'movements are append-only';
END $$;
CREATE TRIGGER movement_is_never_changed BEFORE UPDATE OR DELETE ON movement
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_movement();
CREATE TRIGGER movement_is_never_emptied BEFORE TRUNCATE ON movement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_movement();

-- One row an order. `allocations` is JSON: [[sku, warehouse, quantity], ...]; shipping can add a
-- fourth member. They are kept when the hold ends: what was held stays on record.
CREATE TABLE hold (
    order_id text COLLATE "C" NOT NULL PRIMARY KEY,
    status text NOT NULL CHECK (status IN ('held', 'committed', 'released', 'expired')),
    allocations text NOT NULL,
    created_at_ms bigint NOT NULL,
    expires_at_ms bigint,
    CHECK ((status = 'held') = (expires_at_ms IS NOT NULL))
);
-- Partial, so that the many committed ones cost nothing here.
CREATE INDEX hold_due ON hold (expires_at_ms) WHERE status = 'held';
CREATE INDEX hold_ended ON hold (status, order_id) WHERE status IN ('released', 'expired');
