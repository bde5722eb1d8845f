-- The number of the advisory lock that stands for one key of a task, whether or not the key has a row.
--
-- p_task_id, p_key  the key
-- Result            a hash: two keys may share a lock, which costs a wait and nothing else
--
-- A transaction takes this lock after that of the task: see "The order of locks" in task_lock.sql.
CREATE OR REPLACE FUNCTION key_lock(p_task_id text, p_key text) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT caller_lock(hashtextextended(p_task_id || '/' || p_key, 0))
$$;
