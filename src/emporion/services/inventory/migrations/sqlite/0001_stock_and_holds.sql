CREATE TABLE warehouse (
    warehouse_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    priority INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `reserved` units are held for orders (open holds); shipping will lower both numbers together.
CREATE TABLE level (
    sku TEXT NOT NULL,
    warehouse_id TEXT NOT NULL REFERENCES warehouse (warehouse_id),
    on_hand INTEGER NOT NULL CHECK (on_hand >= 0),
    reserved INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (sku, warehouse_id),
    CHECK (reserved >= 0 AND reserved <= on_hand)
) STRICT, WITHOUT ROWID;
CREATE INDEX level_of_warehouse ON level (warehouse_id, sku);

-- Append-only: their sum is the level.
CREATE TABLE movement (
    seq INTEGER PRIMARY KEY,
    movement_key TEXT NOT NULL UNIQUE,
    sku TEXT NOT NULL,
    warehouse_id TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity <> 0),
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    moved_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX movement_of_sku ON movement (sku, seq);
CREATE INDEX movement_of_warehouse ON movement (warehouse_id, seq);

CREATE TRIGGER movement_is_never_changed BEFORE UPDATE ON movement
BEGIN SELECT RAISE (ABORT, 'movements are append-only'); END;
CREATE TRIGGER movement_is_never_deleted BEFORE DELETE ON movement
BEGIN SELECT RAISE (ABORT, 'movements are append-only'); END;

-- One row an order. `allocations` is JSON: [[sku, warehouse, quantity], ...]; shipping can add a
-- fourth member. They are kept when the hold ends: what was held stays on record.
CREATE TABLE hold (
    order_id TEXT NOT NULL PRIMARY KEY,
    -- not IN (...): SQLite makes a table of the list for each row it checks
    status TEXT NOT NULL CHECK (
        status = 'held' OR status = 'committed' OR status = 'released' OR status = 'expired'
    ),
    allocations TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    CHECK ((status = 'held') = (expires_at_ms IS NOT NULL))
) STRICT, WITHOUT ROWID;
-- Partial, so that the many committed ones cost nothing here.
CREATE INDEX hold_due ON hold (expires_at_ms) WHERE status = 'held';
CREATE INDEX hold_ended ON hold (status, order_id) WHERE status IN ('released', 'expired');
