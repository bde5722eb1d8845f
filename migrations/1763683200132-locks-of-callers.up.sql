-- The number of an advisory lock that is chosen by what a caller names.
--
-- p_hash  of the name
-- Result  the hash, or another number in place of the ten from 7234017283807667300 on. Those are locks of the service
--         itself: of migrations, of the replica that publishes, of epochs and of the days of the outbox. The hash is not
--         secret, so a caller could find ids that lock them out.
CREATE OR REPLACE FUNCTION caller_lock(p_hash bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_hash / 10 = 723401728380766730 THEN p_hash + 10 ELSE p_hash END
$$;

-- The number of the advisory lock that stands for a task, whether or not the task has a row.
--
-- p_task_id  the task
-- Result     a hash: two ids may share a lock, which costs a wait and nothing else
--
-- The order of locks. Every function that writes takes its locks in this order, so that no two transactions wait for
-- each other:
--   1. the task, by a shared advisory lock: the task cannot be deleted until the write is done. A row lock cannot do
--      this. Writers that share the row lock would wait for a queued deletion when they raise it to count, and the
--      deletion would wait for them;
--   2. the key, by an advisory lock, which also holds a key that has no row yet;
--   3. the task's row, to count or to change it.
-- A refusal is decided under these locks, before anything is written. Only that a task is missing, or belongs to another
-- organisation, is decided before, too: the wait for a lock would tell the one from the other. All locks end with the transaction.
CREATE OR REPLACE FUNCTION task_lock(p_task_id text) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT caller_lock(hashtextextended(p_task_id, 0))
$$;

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
