-- What happened, once each; everything else here can be counted again from it.
-- `label`: the currency, or why an order was refused. `part`: which refund.
CREATE TABLE fact (
    key text COLLATE "C" NOT NULL,
    what text COLLATE "C" NOT NULL,
    part text COLLATE "C" NOT NULL,
    at_ms bigint NOT NULL,
    label text COLLATE "C" NOT NULL,
    units bigint NOT NULL,
    amount_minor bigint NOT NULL,
    PRIMARY KEY (key, what, part)
);
CREATE TABLE product_tally (
    at_s bigint NOT NULL,
    currency text COLLATE "C" NOT NULL,
    sku text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    units bigint NOT NULL,
    amount_minor bigint NOT NULL,
    PRIMARY KEY (at_s, currency, sku)
);
-- How much of it was in which minute, a row for each batch of events: only ever added to. The sums by
-- minute and quarter of an hour are kept by TimescaleDB; what has not been added up yet is added to
-- them at each question, and what came later than it should at the next refresh.
CREATE EXTENSION IF NOT EXISTS timescaledb;
CREATE TABLE measure (
    at timestamptz NOT NULL,
    what text COLLATE "C" NOT NULL,
    label text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    units bigint NOT NULL,
    amount_minor bigint NOT NULL
);
SELECT create_hypertable('measure', by_range('at', INTERVAL '7 days'));
ALTER TABLE measure SET (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'what, label',
    timescaledb.compress_orderby = 'at'
);
SELECT add_compression_policy('measure', INTERVAL '14 days');
CREATE MATERIALIZED VIEW measure_minute
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket(INTERVAL '1 minute', at) AS start, what, label, sum(number) AS number,
    sum(units) AS units, sum(amount_minor) AS amount_minor
FROM measure GROUP BY 1, 2, 3 WITH NO DATA;
CREATE MATERIALIZED VIEW measure_quarter
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket(INTERVAL '15 minutes', at) AS start, what, label, sum(number) AS number,
    sum(units) AS units, sum(amount_minor) AS amount_minor
FROM measure GROUP BY 1, 2, 3 WITH NO DATA;
-- Refreshed is what changed, as far back as rows are kept: beyond it the sums stay as they are.
SELECT add_continuous_aggregate_policy('measure_minute', start_offset => INTERVAL '790 days',
    end_offset => INTERVAL '2 minutes', schedule_interval => INTERVAL '5 minutes', buckets_per_batch => 0);
SELECT add_continuous_aggregate_policy('measure_quarter', start_offset => INTERVAL '790 days',
    end_offset => INTERVAL '30 minutes', schedule_interval => INTERVAL '5 minutes', buckets_per_batch => 0);
SELECT add_retention_policy('measure', INTERVAL '800 days');
