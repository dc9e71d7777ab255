-- Who moved stock, by which command, in which trace; empty for movements from before.
ALTER TABLE movement ADD COLUMN actor TEXT NOT NULL DEFAULT '';
ALTER TABLE movement ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE movement ADD COLUMN trace_id TEXT NOT NULL DEFAULT '';

-- What became of a hold, a line of JSON for each change: [status, instant, actor, cause, trace].
-- In the row itself: a row of its own for each would cost an order more than the hold does.
ALTER TABLE hold ADD COLUMN trail TEXT NOT NULL DEFAULT '';
