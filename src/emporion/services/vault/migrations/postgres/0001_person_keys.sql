-- A key a person, wrapped with the shop's secret; NULL once it was destroyed. The row stays, so
-- that the same person never gets another.
CREATE TABLE person_key (
    person_id text COLLATE "C" NOT NULL PRIMARY KEY,
    wrapped bytea,
    made_at_ms bigint NOT NULL,
    destroyed_at_ms bigint,
    CHECK ((wrapped IS NULL) = (destroyed_at_ms IS NOT NULL))
);
