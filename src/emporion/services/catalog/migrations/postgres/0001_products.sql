-- `sort_name` and `search_text` are case-folded by us, so that every engine sorts and finds alike.
CREATE TABLE product (
    product_id text COLLATE "C" NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    sort_name text COLLATE "C" NOT NULL,
    description text NOT NULL,
    category text COLLATE "C" NOT NULL,
    search_text text NOT NULL,
    is_archived integer NOT NULL CHECK (is_archived IN (0, 1)),
    updated_at_ms bigint NOT NULL
);
CREATE INDEX product_by_name ON product (sort_name, product_id);
CREATE INDEX product_on_sale ON product (sort_name, product_id) WHERE is_archived = 0;
CREATE INDEX product_of_category ON product (category, sort_name, product_id)
    WHERE is_archived = 0;

-- `label` and `is_on_sale` repeat what follows from the product: a price is one point read.
CREATE TABLE variant (
    sku text COLLATE "C" NOT NULL PRIMARY KEY,
    product_id text COLLATE "C" NOT NULL REFERENCES product (product_id),
    position integer NOT NULL,
    name text NOT NULL,
    label text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    is_on_sale integer NOT NULL CHECK (is_on_sale IN (0, 1))
);
CREATE UNIQUE INDEX variant_of_product ON variant (product_id, position);

-- The word that our SQL shares with SQLite.
CREATE FUNCTION instr(haystack text, needle text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN strpos(haystack, needle);
