-- Whether a task and everything below it was finished before a time.
--
-- p_id, p_organization  the task
-- p_before              the time
-- Result                true also if there is no such task
--
-- Takes no lock. If the caller holds those of `lock_tree_step`, no sub-task can be added below the tasks that it has locked.
--
-- A join by hash or by merge would read every task of the organisation.
CREATE OR REPLACE FUNCTION is_tree_finished(p_id text, p_organization text, p_before timestamptz) RETURNS boolean
LANGUAGE sql STABLE SET enable_hashjoin = off SET enable_mergejoin = off AS $$
  WITH RECURSIVE tree AS (
    SELECT id, coalesce(completed_at, cancelled_at) AS finished_at
    FROM tasks WHERE id = p_id AND organization = p_organization
    UNION ALL
    SELECT tasks.id, coalesce(completed_at, cancelled_at)
    FROM tree JOIN tasks ON organization = p_organization AND parent_id = tree.id
  )
  SELECT NOT EXISTS (SELECT FROM tree WHERE finished_at IS NULL OR finished_at >= p_before)
$$;
