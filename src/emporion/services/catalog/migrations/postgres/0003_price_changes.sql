-- What prices and rules were, and since when, so that the price of an order can be explained later.
-- A row for each change; it holds until the next one. Of what was there before: since it was
-- changed last (prices), or as far back as anybody asks (rules, 0).
CREATE TABLE price_change (
    sku text COLLATE "C" NOT NULL,
    at_ms bigint NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    category text NOT NULL,
    is_on_sale integer NOT NULL CHECK (is_on_sale IN (0, 1)),
    PRIMARY KEY (sku, at_ms)
);
INSERT INTO price_change
SELECT sku, updated_at_ms, amount_minor, currency, category, is_on_sale
FROM variant JOIN product ON product.product_id = variant.product_id;

CREATE TABLE pricing_rule_change (
    kind text NOT NULL CHECK (kind IN ('promotion', 'tax', 'delivery')),
    ref text COLLATE "C" NOT NULL,
    at_ms bigint NOT NULL,
    definition bytea NOT NULL,
    PRIMARY KEY (kind, ref, at_ms)
);
INSERT INTO pricing_rule_change SELECT 'promotion', promotion_id, 0, definition FROM promotion;
INSERT INTO pricing_rule_change SELECT 'tax', country, 0, definition FROM country_tax;
INSERT INTO pricing_rule_change SELECT 'delivery', delivery_id, 0, definition FROM delivery;
