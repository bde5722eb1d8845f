-- Deletes attachments of tasks that are deleted, the first 64 MiB or 10,000 rows of them, and one at least: gigabytes take
-- longer than a call may.
--
-- p_task_ids  the tasks
-- Result      those of them that have attachments left, which nothing shows: their task is deleted
--
-- Takes no lock of its own: the caller holds those of `lock_tree_step`.
CREATE OR REPLACE FUNCTION delete_attachments(p_task_ids text[]) RETURNS text[]
LANGUAGE plpgsql AS $$
BEGIN
  WITH next AS (
    SELECT task_id, key, bytes FROM task_attachments WHERE task_id = ANY (p_task_ids) ORDER BY task_id, key LIMIT 10000
  ), counted AS (
    SELECT task_id, key, sum(bytes) OVER (ORDER BY task_id, key) AS total, row_number() OVER (ORDER BY task_id, key) AS nth
    FROM next
  )
  DELETE FROM task_attachments AS doomed USING counted
  WHERE doomed.task_id = counted.task_id AND doomed.key = counted.key AND (nth = 1 OR total IS NULL OR total <= 67108864);
  RETURN ARRAY(
    SELECT task FROM unnest(p_task_ids) AS task WHERE EXISTS (SELECT FROM task_attachments WHERE task_id = task));
END
$$;
