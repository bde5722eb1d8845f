-- Retired: release 0.2.0 drops it, when no replica is left that changes the view `outbox`.
--
-- Trigger function: what a replica of the previous release does to the outbox as if it were a table. It marks rows as
-- published, and deletes old ones, which is not done: newer replicas drop the tables of whole days.
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION change_outbox() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RETURN NULL;
  END IF;
  DELETE FROM outbox_waiting WHERE seq = OLD.seq AND op_id = OLD.op_id AND NEW.published;
  RETURN NEW;
END
$$;
