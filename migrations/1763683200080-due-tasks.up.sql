-- Tasks that are deleted without a call: a task may have a time to live, and finished tasks may be kept for a time.
--
-- The two indexes are built while no task can be changed: about a second for each million tasks that are in memory.
ALTER TABLE tasks ADD COLUMN expires_at timestamptz;
CREATE INDEX tasks_by_expiry ON tasks (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX tasks_by_finish ON tasks ((coalesce(completed_at, cancelled_at)), id)
WHERE coalesce(completed_at, cancelled_at) IS NOT NULL;

-- Which jobs had their last turn until when: each of them is done by one replica at a time.
CREATE TABLE job_turns (
  job     text PRIMARY KEY,
  ends_at timestamptz NOT NULL
);

-- Inserts a task with its first attachments, and records their events. Keeps a fingerprint of what the task was created
-- with, by which a repeated call is recognised.
--
-- p_id … p_revision  the row to insert
-- p_expires_at       when the task is to be deleted; null for never
-- p_event            the event of the task; its `metadata.eventId` becomes the op
-- p_puts             an array of the first attachments: members named as their columns, times in ISO 8601, `value` a
--                    string that holds the JSON text, and `event`
-- Result             inserted; parent-missing; id-taken
--
-- Locks: the parent task (shared), so that it is not deleted until the sub-task is there. The new task needs no lock:
-- no other transaction sees it, and the primary key stops a second one with its id.
CREATE OR REPLACE FUNCTION create_task(
  p_id text, p_organization text, p_text text, p_status text, p_priority smallint, p_metadata json, p_parent_id text,
  p_assigned_to text, p_created_at timestamptz, p_created_by text, p_updated_at timestamptz, p_updated_by text,
  p_completed_at timestamptz, p_completed_by text, p_cancelled_at timestamptz, p_cancelled_by text, p_error json,
  p_revision integer, p_expires_at timestamptz, p_event json, p_puts json
) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  IF p_parent_id IS NOT NULL THEN
    -- Twice: nothing is locked for a caller who has no such task, and under the lock the task stays.
    PERFORM FROM tasks WHERE id = p_parent_id AND organization = p_organization AND deleted_version IS NULL;
    IF FOUND THEN
      PERFORM pg_advisory_xact_lock_shared(task_lock(p_parent_id));
      PERFORM FROM tasks WHERE id = p_parent_id AND organization = p_organization AND deleted_version IS NULL;
    END IF;
    IF NOT FOUND THEN
      RETURN 'parent-missing';
    END IF;
  END IF;

  INSERT INTO tasks (id, organization, text, status, priority, metadata, parent_id, assigned_to, created_at, created_by,
    updated_at, updated_by, completed_at, completed_by, cancelled_at, cancelled_by, error, revision, expires_at,
    attachment_count, creation_fingerprint)
  VALUES (p_id, p_organization, p_text, p_status, p_priority, p_metadata, p_parent_id, p_assigned_to, p_created_at,
    p_created_by, p_updated_at, p_updated_by, p_completed_at, p_completed_by, p_cancelled_at, p_cancelled_by, p_error,
    p_revision, p_expires_at, json_array_length(p_puts),
    creation_fingerprint(p_text, p_priority, p_metadata, p_parent_id, p_puts))
  ON CONFLICT (id) DO NOTHING;
  IF NOT FOUND THEN
    RETURN 'id-taken';
  END IF;

  INSERT INTO outbox_history (op_id, task_id, kind, event)
  VALUES ((p_event #>> '{metadata,eventId}')::uuid, p_id, 'task', p_event);

  IF json_array_length(p_puts) > 0 THEN
    INSERT INTO task_attachments (task_id, key, id, type, value, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, deleted)
    SELECT p_id, key, id, type, value::json, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, false
    FROM json_to_recordset(p_puts) AS put(
      key text, id text, type text, value text, content text, url text, mime_type text, size bigint, bytes integer,
      created_by text, created_at timestamptz, updated_at timestamptz, expires_at timestamptz, version bigint, op_id uuid);

    INSERT INTO outbox_history (op_id, task_id, key, version, kind, event)
    SELECT (put ->> 'op_id')::uuid, p_id, put ->> 'key', (put ->> 'version')::bigint, 'attachment', put -> 'event'
    FROM json_array_elements(p_puts) WITH ORDINALITY AS puts(put, position) ORDER BY position;
  END IF;
  RETURN 'inserted';
END
$$;

-- Replaces locked tasks by tombstones, deletes their attachments, and records their events in the order given.
--
-- p_deletions  an array of {task_id, version, op_id, events}; the event whose id is `op_id` announces the deletion, the
--              others are recorded as events of the task
--
-- Takes no lock of its own: the caller holds those of `lock_task_tree`.
CREATE OR REPLACE FUNCTION delete_tasks(p_deletions json) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox_history (op_id, task_id, version, kind, event)
  SELECT event_id, task_id, CASE WHEN event_id = op_id THEN version END,
    CASE WHEN event_id = op_id THEN 'task_deleted' ELSE 'task' END, event
  FROM (
    SELECT (event #>> '{metadata,eventId}')::uuid AS event_id, (deletion ->> 'op_id')::uuid AS op_id,
      deletion ->> 'task_id' AS task_id, (deletion ->> 'version')::bigint AS version, event, nth_task, nth_event
    FROM json_array_elements(p_deletions) WITH ORDINALITY AS deletions(deletion, nth_task),
      json_array_elements(deletion -> 'events') WITH ORDINALITY AS events(event, nth_event)
  ) AS events
  ORDER BY nth_task, nth_event;

  DELETE FROM task_attachments USING json_to_recordset(p_deletions) AS deletions(task_id text)
  WHERE task_attachments.task_id = deletions.task_id;

  UPDATE tasks SET
    organization = NULL, text = NULL, status = NULL, priority = NULL, metadata = NULL, parent_id = NULL,
    assigned_to = NULL, created_at = NULL, created_by = NULL, updated_at = NULL, updated_by = NULL, completed_at = NULL,
    completed_by = NULL, cancelled_at = NULL, cancelled_by = NULL, error = NULL, revision = NULL, expires_at = NULL,
    attachment_count = 0, creation_fingerprint = NULL, result_fingerprint = NULL,
    deleted_version = deletions.version, deleted_op = deletions.op_id, deleted_at = now()
  FROM json_to_recordset(p_deletions) AS deletions(task_id text, version bigint, op_id uuid)
  WHERE tasks.id = deletions.task_id;
END
$$;

-- Whether a task and everything below it was finished before a time.
--
-- p_id, p_organization  the task
-- p_before              the time
-- Result                true also if there is no such task
--
-- Takes no lock. If the caller holds those of `lock_tree_step`, no sub-task can be added below the tasks that it has locked.
--
-- A join by hash or by merge would read every task of the organization.
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

-- Gives the caller the turn of a job that only one replica does at a time.
--
-- p_job     the job
-- p_length  how long the turn is, by the clock of the database
-- Result    false if the last turn is not over
--
-- Locks: the row of the job, until the caller has committed.
CREATE OR REPLACE FUNCTION take_turn(p_job text, p_length interval) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO job_turns (job, ends_at) VALUES (p_job, now() + p_length)
  ON CONFLICT (job) DO UPDATE SET ends_at = EXCLUDED.ends_at
  -- A turn that ends much later was taken before the clock was set back.
  WHERE job_turns.ends_at <= now() OR job_turns.ends_at > EXCLUDED.ends_at + interval '1 minute';
  RETURN FOUND;
END
$$;
