-- Puts the sums of the rows that an organization has in `task_counts` in their place. What others have not committed yet
-- stays as it is.
--
-- p_organization  whose rows
--
-- Locks: those who do the same for the organization pass each other by, so it never waits. The lock is of the kind with
-- two numbers, which no other function takes: whoever holds locks of tasks may take it.
--
-- A plain scan of the index notes there which rows are gone. Others that follow pass them by, long before a vacuum.
CREATE OR REPLACE FUNCTION fold_task_counts(p_organization text) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock(723401728, hashtext(p_organization)) THEN
    RETURN;
  END IF;
  WITH folded AS (
    DELETE FROM task_counts WHERE organization = p_organization RETURNING *
  )
  INSERT INTO task_counts (organization, is_root, status, priority, count)
  SELECT organization, is_root, status, priority, sum(count) FROM folded
  GROUP BY organization, is_root, status, priority HAVING sum(count) <> 0;
END
$$;
