-- What a provider told us besides which order it is about: nobody ever read it, and it may name people.
UPDATE webhook SET body = x'';

CREATE INDEX healing_of_order ON healing (order_id, seq);
