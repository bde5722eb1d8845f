-- Trigger function: gives a new row of the outbox what decides which readers it is for: the organisation of its task, and
-- the ancestors of the task. The task may be deleted in the same transaction, and then its row no longer has either. It
-- fires for a row without an organisation, unless that is announced to no organisation: most functions that record have
-- read the task before, and give both.
--
-- Result  the row to insert; its ancestors are those of `ancestors_of`
--
-- Takes no lock: the function that inserts holds that of the task.
CREATE OR REPLACE FUNCTION set_outbox_readers() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  parent text COLLATE "C";
BEGIN
  SELECT organization, parent_id INTO NEW.organization, parent FROM tasks WHERE id = NEW.task_id;
  IF parent IS NOT NULL THEN
    NEW.ancestors := ancestors_of(NEW.task_id);
  END IF;
  RETURN NEW;
END
$$;
