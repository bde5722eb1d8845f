-- Trigger function: notes the rows that a statement has added to the history of the outbox as waiting to be published,
-- but for those that are not announced. They wait by organisation, and those of a task that is not there by the task.
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION await_publication() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox_waiting (seq, op_id, at, organization)
  SELECT seq, op_id, at, coalesce(organization, task_id) FROM recorded WHERE NOT unannounced;
  RETURN NULL;
END
$$;
