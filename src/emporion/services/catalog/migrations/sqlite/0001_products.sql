-- `sort_name` and `search_text` are case-folded by us, so that every engine sorts and finds alike.
CREATE TABLE product (
    product_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    sort_name TEXT NOT NULL,
    description TEXT NOT NULL,
    category TEXT NOT NULL,
    search_text TEXT NOT NULL,
    is_archived INTEGER NOT NULL CHECK (is_archived IN (0, 1)),
    updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX product_by_name ON product (sort_name, product_id);
CREATE INDEX product_on_sale ON product (sort_name, product_id) WHERE is_archived = 0;
CREATE INDEX product_of_category ON product (category, sort_name, product_id)
    WHERE is_archived = 0;

-- `label` and `is_on_sale` repeat what follows from the product: a price is one point read.
CREATE TABLE variant (
    sku TEXT NOT NULL PRIMARY KEY,
    product_id TEXT NOT NULL REFERENCES product (product_id),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    is_on_sale INTEGER NOT NULL CHECK (is_on_sale IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX variant_of_product ON variant (product_id, position);
