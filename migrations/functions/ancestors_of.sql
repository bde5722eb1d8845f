-- The tasks above a task, also while they are being deleted before it.
--
-- p_task_id  the task
-- Result     the nearest first, 32 at most, so that a long chain of tasks stays affordable; null if there are none
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION ancestors_of(p_task_id text) RETURNS text[]
LANGUAGE sql STABLE AS $$
  WITH RECURSIVE above AS (
    SELECT parent_id AS id, 1 AS level FROM tasks WHERE id = p_task_id AND parent_id IS NOT NULL
    UNION ALL
    SELECT tasks.parent_id, level + 1 FROM above JOIN tasks ON tasks.id = above.id
    WHERE tasks.parent_id IS NOT NULL AND level < 32
  ), chain AS (
    SELECT array_agg(id ORDER BY level) AS ids FROM above
  )
  -- A deleted task has no parent any more; what was above it is kept until its sub-tasks are deleted.
  SELECT (ids || (SELECT ancestors FROM unfinished_deletions WHERE task_id = ids[cardinality(ids)]))[1:32] FROM chain
$$;
