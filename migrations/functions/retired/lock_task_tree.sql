-- Retired: release 0.2.0 drops it, when no replica is left that calls it.
--
-- Locks a task and all its sub-tasks, level by level, for a deletion.
--
-- p_id, p_organization  the root of the tree
-- Result                the tasks of the tree, parents before their children; no row if the task is missing. The rows
--                       are read after the locks were taken: the snapshot of the calling statement is older, and may
--                       lack the last change or the last sub-task
--
-- Locks: of each level first the advisory locks of its tasks (exclusive), in the order of their ids, then their rows.
-- While a task is locked, no transaction can add a sub-task to it, so the next level is complete when it is read. The
-- row locks stop writers that take no advisory lock. They do not conflict with the foreign keys of sub-tasks: a writer
-- that waits there would in turn be waited for.
CREATE OR REPLACE FUNCTION lock_task_tree(p_id text, p_organization text) RETURNS SETOF tasks
LANGUAGE plpgsql AS $$
DECLARE
  level text[];
BEGIN
  -- Nothing is locked for a caller who has no such task.
  PERFORM FROM tasks WHERE id = p_id AND organization = p_organization AND deleted_version IS NULL;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(task_lock(p_id));
  SELECT array_agg(id) INTO level FROM tasks
  WHERE id = p_id AND organization = p_organization AND deleted_version IS NULL;
  WHILE level IS NOT NULL LOOP
    RETURN QUERY SELECT * FROM tasks WHERE id = ANY (level) ORDER BY id FOR NO KEY UPDATE;
    PERFORM pg_advisory_xact_lock(task_lock(id)) FROM (
      SELECT id FROM tasks WHERE organization = p_organization AND parent_id = ANY (level) ORDER BY id
    ) AS children;
    SELECT array_agg(id) INTO level FROM tasks WHERE organization = p_organization AND parent_id = ANY (level);
  END LOOP;
END
$$;
