-- Trigger function: gives a new row of the outbox what decides which readers it is for: the organization of its task, and
-- the ancestors of the task. The task may be deleted in the same transaction, and then its row no longer has either. A
-- row that is recorded as published is announced to no organization, and does not fire the trigger.
--
-- Result  the row to insert; of the ancestors, the nearest 32 at most, so that a long chain of tasks stays affordable
--
-- Takes no lock: the function that inserts holds that of the task.
CREATE OR REPLACE FUNCTION set_outbox_readers() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  parent text COLLATE "C";
BEGIN
  SELECT organization, parent_id INTO NEW.organization, parent FROM tasks WHERE id = NEW.task_id;
  IF parent IS NOT NULL THEN
    WITH RECURSIVE above AS (
      SELECT parent AS id, 1 AS level
      UNION ALL
      SELECT tasks.parent_id, level + 1 FROM above JOIN tasks ON tasks.id = above.id
      WHERE tasks.parent_id IS NOT NULL AND level < 32
    )
    SELECT array_agg(id ORDER BY level) INTO NEW.ancestors FROM above;
  END IF;
  RETURN NEW;
END
$$;
