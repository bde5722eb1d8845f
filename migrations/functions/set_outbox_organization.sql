-- Trigger function: gives a new row of the outbox the organization of its task, as the events of an organization are
-- read by it. A row that is recorded as published is announced to no organization, and does not fire the trigger.
--
-- Result  the row to insert
--
-- Takes no lock: the function that inserts holds that of the task.
CREATE OR REPLACE FUNCTION set_outbox_organization() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  SELECT organization INTO NEW.organization FROM tasks WHERE id = NEW.task_id;
  RETURN NEW;
END
$$;
