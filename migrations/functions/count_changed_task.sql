-- Trigger function: notes in `task_counts` that a task is of another kind now, or is gone, as `count_new_tasks` does.
--
-- Takes no lock that others wait for; see `fold_task_counts`.
CREATE OR REPLACE FUNCTION count_changed_task() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.deleted_version IS NULL THEN
    INSERT INTO task_counts (organization, is_root, status, priority, count)
    VALUES (OLD.organization, OLD.parent_id IS NULL, OLD.status, OLD.priority, -1);
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.deleted_version IS NULL THEN
    INSERT INTO task_counts (organization, is_root, status, priority, count)
    VALUES (NEW.organization, NEW.parent_id IS NULL, NEW.status, NEW.priority, 1);
  END IF;
  IF random() < 0.01 THEN
    PERFORM fold_task_counts(coalesce(OLD.organization, NEW.organization));
  END IF;
  RETURN NULL;
END
$$;
