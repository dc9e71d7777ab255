-- What returns gave back: a refund gives to a card once.
CREATE TABLE gift_card_return (
    refund_id TEXT NOT NULL,
    card_id TEXT NOT NULL REFERENCES gift_card (card_id),
    order_id TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    PRIMARY KEY (refund_id, card_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX gift_card_return_of_order ON gift_card_return (order_id, card_id);
