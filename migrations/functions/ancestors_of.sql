-- The tasks above a task, also while they are being deleted before it.
--
-- p_task_id  the task
-- Result     the nearest first, 32 at most, so that a long chain of tasks stays affordable; null if there are none
--
-- In PL/pgSQL, which keeps the plan: a function in SQL would be planned at each call, which takes three times as long. Each
-- task is looked up by its id alone, whatever a plan made on small tables would prefer.
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION ancestors_of(p_task_id text) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (
    WITH RECURSIVE above AS (
      SELECT parent_id AS id, 1 AS level FROM (SELECT parent_id FROM tasks WHERE id = p_task_id LIMIT 1) AS one
      WHERE parent_id IS NOT NULL
      UNION ALL
      SELECT parent_id, level + 1 FROM above
      CROSS JOIN LATERAL (SELECT parent_id FROM tasks WHERE id = above.id LIMIT 1) AS one
      WHERE parent_id IS NOT NULL AND level < 32
    ), chain AS (
      SELECT array_agg(id ORDER BY level) AS ids FROM above
    )
    -- A deleted task has no parent any more; what was above it is kept until its sub-tasks are deleted.
    SELECT (ids || (SELECT ancestors FROM unfinished_deletions WHERE task_id = ids[cardinality(ids)]))[1:32] FROM chain
  );
END
$$;
