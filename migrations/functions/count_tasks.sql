-- How many live tasks an organization has, of all or of certain kinds. The cost grows with the kinds that there are (a kind is
-- a status, a priority, and whether the tasks have a parent), not with the tasks.
--
-- p_statuses, p_priority  null for any
-- p_is_root               whether tasks without a parent count alone; null for any
--
-- Takes no lock. It sees what the calling statement sees.
CREATE OR REPLACE FUNCTION count_tasks(
  p_organization text, p_statuses text[], p_priority smallint, p_is_root boolean
) RETURNS integer
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
  RETURN (
    SELECT coalesce(sum(count), 0) FROM task_counts
    WHERE organization = p_organization AND (p_statuses IS NULL OR status = ANY (p_statuses))
      AND (p_priority IS NULL OR priority = p_priority) AND (p_is_root IS NULL OR is_root = p_is_root)
  );
END
$$;
