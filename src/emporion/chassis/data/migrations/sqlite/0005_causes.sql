-- What an event was recorded for: the kind of the actor and the command, `person:order.checkout`.
-- Those from before have an empty one.
ALTER TABLE event ADD COLUMN cause TEXT NOT NULL DEFAULT '';
