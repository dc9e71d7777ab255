-- What operators did to this service's sagas and deliveries, in the transaction in which they did it
-- where it is one. `subject` is the saga or the subscriber.
CREATE TABLE deed (
    deed_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at_ms bigint NOT NULL,
    actor TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL
);
