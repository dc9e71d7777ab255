-- What returns gave back: a refund gives to a card once.
CREATE TABLE gift_card_return (
    refund_id text COLLATE "C" NOT NULL,
    card_id text COLLATE "C" NOT NULL REFERENCES gift_card (card_id),
    order_id text COLLATE "C" NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    PRIMARY KEY (refund_id, card_id)
);
CREATE INDEX gift_card_return_of_order ON gift_card_return (order_id, card_id);
