-- Where the last event of every stream stood when the trail was proved, kept apart from the
-- services' databases. A sealing is written as a whole; older ones are deleted after it.
CREATE TABLE seal (
    service TEXT NOT NULL,
    sealing INTEGER NOT NULL,
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (service, sealing, stream)
) STRICT, WITHOUT ROWID;

-- `digest` covers the sealing's seals and the digest before it: they cannot be changed unseen.
CREATE TABLE sealing (
    service TEXT NOT NULL,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    streams INTEGER NOT NULL,
    events INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (service, number)
) STRICT, WITHOUT ROWID;
