-- A key a person, wrapped with the shop's secret; NULL once it was destroyed. The row stays, so
-- that the same person never gets another.
CREATE TABLE person_key (
    person_id TEXT NOT NULL PRIMARY KEY,
    wrapped BLOB,
    made_at_ms INTEGER NOT NULL,
    destroyed_at_ms INTEGER,
    CHECK ((wrapped IS NULL) = (destroyed_at_ms IS NOT NULL))
) STRICT, WITHOUT ROWID;
