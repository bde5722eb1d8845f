-- The other function is dropped with the migration that created it.
DROP FUNCTION waiting_events;
ALTER TABLE outbox_waiting DROP COLUMN organization;
