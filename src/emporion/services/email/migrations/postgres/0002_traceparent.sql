-- The W3C header of the call that published the event: what is sent for it, be it days later, is in
-- the same trace. Empty: it is not known.
ALTER TABLE mail ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
