-- What prices and rules were, and since when, so that the price of an order can be explained later.
-- A row for each change; it holds until the next one. Of what was there before: since it was
-- changed last (prices), or as far back as anybody asks (rules, 0).
CREATE TABLE price_change (
    sku TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    category TEXT NOT NULL,
    is_on_sale INTEGER NOT NULL CHECK (is_on_sale IN (0, 1)),
    PRIMARY KEY (sku, at_ms)
) STRICT, WITHOUT ROWID;
INSERT INTO price_change
SELECT sku, updated_at_ms, amount_minor, currency, category, is_on_sale
FROM variant JOIN product ON product.product_id = variant.product_id;

CREATE TABLE pricing_rule_change (
    kind TEXT NOT NULL CHECK (kind IN ('promotion', 'tax', 'delivery')),
    ref TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    definition BLOB NOT NULL,
    PRIMARY KEY (kind, ref, at_ms)
) STRICT, WITHOUT ROWID;
INSERT INTO pricing_rule_change SELECT 'promotion', promotion_id, 0, definition FROM promotion;
INSERT INTO pricing_rule_change SELECT 'tax', country, 0, definition FROM country_tax;
INSERT INTO pricing_rule_change SELECT 'delivery', delivery_id, 0, definition FROM delivery;
