-- A repeated call is recognised by a fingerprint of what the first one gave: a task that was created or completed before
-- this migration has none. The readers of events find the sub-tasks of a task by the ancestors.
ALTER TABLE tasks ADD COLUMN creation_fingerprint bytea, ADD COLUMN result_fingerprint bytea;
ALTER TABLE outbox ADD COLUMN ancestors text[] COLLATE "C";

-- The trigger keeps its function under the new name. No signature changes: an older replica calls them as before.
ALTER FUNCTION set_outbox_organization RENAME TO set_outbox_readers;
ALTER TRIGGER set_organization ON outbox RENAME TO set_readers;

-- The fingerprint of what a task is created with. A repeated call has the same, whatever has become of the task since.
--
-- p_text … p_puts  as in `create_task`; of the attachments only their keys and values count
-- Result           a SHA-256 hash
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION creation_fingerprint(
  p_text text, p_priority smallint, p_metadata json, p_parent_id text, p_puts json
) RETURNS bytea
LANGUAGE sql STABLE AS $$
  SELECT sha256(convert_to(json_build_array(p_text, p_priority, p_metadata, p_parent_id, (
    SELECT json_agg(json_build_array(put ->> 'key', put ->> 'value') ORDER BY position)
    FROM json_array_elements(p_puts) WITH ORDINALITY AS puts(put, position)
  ))::text, 'UTF8'))
$$;

-- Inserts a task with its first attachments, and records their events. Keeps a fingerprint of what the task was created
-- with, by which a repeated call is recognised.
--
-- p_id … p_revision  the row to insert
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
  p_revision integer, p_event json, p_puts json
) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  IF p_parent_id IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock_shared(task_lock(p_parent_id));
    PERFORM FROM tasks WHERE id = p_parent_id AND organization = p_organization AND deleted_version IS NULL;
    IF NOT FOUND THEN
      RETURN 'parent-missing';
    END IF;
  END IF;

  INSERT INTO tasks (id, organization, text, status, priority, metadata, parent_id, assigned_to, created_at, created_by,
    updated_at, updated_by, completed_at, completed_by, cancelled_at, cancelled_by, error, revision, attachment_count,
    creation_fingerprint)
  VALUES (p_id, p_organization, p_text, p_status, p_priority, p_metadata, p_parent_id, p_assigned_to, p_created_at,
    p_created_by, p_updated_at, p_updated_by, p_completed_at, p_completed_by, p_cancelled_at, p_cancelled_by, p_error,
    p_revision, json_array_length(p_puts), creation_fingerprint(p_text, p_priority, p_metadata, p_parent_id, p_puts))
  ON CONFLICT (id) DO NOTHING;
  IF NOT FOUND THEN
    RETURN 'id-taken';
  END IF;

  INSERT INTO outbox (op_id, task_id, kind, event)
  VALUES ((p_event #>> '{metadata,eventId}')::uuid, p_id, 'task', p_event);

  IF json_array_length(p_puts) > 0 THEN
    INSERT INTO task_attachments (task_id, key, id, type, value, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, deleted)
    SELECT p_id, key, id, type, value::json, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, false
    FROM json_to_recordset(p_puts) AS put(
      key text, id text, type text, value text, content text, url text, mime_type text, size bigint, bytes integer,
      created_by text, created_at timestamptz, updated_at timestamptz, expires_at timestamptz, version bigint, op_id uuid);

    INSERT INTO outbox (op_id, task_id, key, version, kind, event)
    SELECT (put ->> 'op_id')::uuid, p_id, put ->> 'key', (put ->> 'version')::bigint, 'attachment', put -> 'event'
    FROM json_array_elements(p_puts) WITH ORDINALITY AS puts(put, position) ORDER BY position;
  END IF;
  RETURN 'inserted';
END
$$;

-- Replaces a task by its next revision, together with one attachment if there is one, and records their events. Keeps a
-- fingerprint of the attachment's value, by which a repeated completion is recognised.
--
-- p_id … p_revision  the row to store; what never changes (parent, creation) is ignored
-- p_event            the event of the task; its `metadata.eventId` becomes the op
-- p_put              null, or one element of what `create_task` takes
-- p_max_attachments  how many live attachments the task may have
--
-- Result, one row:
-- state              stale: the task is not there in the revision before `p_revision`; updated; or the state in which
--                    `write_attachment` refused the attachment, and then nothing is changed
-- the other columns  those of `write_attachment`; null without an attachment
--
-- Locks: the task (shared), the key, the task's row to change it; see "The order of locks" in task_lock.sql. Without an
-- attachment the row's lock is enough: a deletion takes it as well, and a deleted task is stale.
CREATE OR REPLACE FUNCTION update_task(
  p_id text, p_organization text, p_text text, p_status text, p_priority smallint, p_metadata json, p_parent_id text,
  p_assigned_to text, p_created_at timestamptz, p_created_by text, p_updated_at timestamptz, p_updated_by text,
  p_completed_at timestamptz, p_completed_by text, p_cancelled_at timestamptz, p_cancelled_by text, p_error json,
  p_revision integer, p_event json, p_put json, p_max_attachments integer
) RETURNS TABLE (
  state text, stored_version bigint, id text, created_at timestamptz, created_by text, replaced boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  IF p_put IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock_shared(task_lock(p_id));
    PERFORM pg_advisory_xact_lock(key_lock(p_id, p_put ->> 'key'));
  END IF;
  PERFORM FROM tasks
  WHERE id = p_id AND organization = p_organization AND deleted_version IS NULL AND revision = p_revision - 1
  FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    state := 'stale';
    RETURN NEXT;
    RETURN;
  END IF;

  IF p_put IS NOT NULL THEN
    SELECT written.* INTO state, stored_version, id, created_at, created_by, replaced
    FROM json_to_record(p_put) AS put(
      key text, id text, type text, value text, content text, url text, mime_type text, size bigint, bytes integer,
      created_by text, created_at timestamptz, updated_at timestamptz, expires_at timestamptz, version bigint,
      op_id uuid, event json),
    write_attachment(
      p_task_id => p_id, p_key => put.key, p_deleted => false, p_id => put.id, p_type => put.type,
      p_value => put.value::json, p_content => put.content, p_url => put.url, p_mime_type => put.mime_type,
      p_size => put.size, p_bytes => put.bytes, p_created_by => put.created_by, p_created_at => put.created_at,
      p_updated_at => put.updated_at, p_expires_at => put.expires_at, p_version => put.version, p_op_id => put.op_id,
      p_event => put.event, p_organization => p_organization, p_mode => 'direct', p_if_absent => false,
      p_if_version => NULL, p_now => p_updated_at, p_max_attachments => p_max_attachments) AS written;
    IF state <> 'applied' THEN
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;

  UPDATE tasks SET
    text = p_text, status = p_status, priority = p_priority, metadata = p_metadata, assigned_to = p_assigned_to,
    updated_at = p_updated_at, updated_by = p_updated_by, completed_at = p_completed_at, completed_by = p_completed_by,
    cancelled_at = p_cancelled_at, cancelled_by = p_cancelled_by, error = p_error, revision = p_revision,
    result_fingerprint = coalesce(sha256(convert_to(p_put ->> 'value', 'UTF8')), result_fingerprint)
  WHERE id = p_id;
  INSERT INTO outbox (op_id, task_id, kind, event)
  VALUES ((p_event #>> '{metadata,eventId}')::uuid, p_id, 'task', p_event);
  state := 'updated';
  RETURN NEXT;
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
  INSERT INTO outbox (op_id, task_id, version, kind, event)
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
    completed_by = NULL, cancelled_at = NULL, cancelled_by = NULL, error = NULL, revision = NULL, attachment_count = 0,
    creation_fingerprint = NULL, result_fingerprint = NULL,
    deleted_version = deletions.version, deleted_op = deletions.op_id, deleted_at = now()
  FROM json_to_recordset(p_deletions) AS deletions(task_id text, version bigint, op_id uuid)
  WHERE tasks.id = deletions.task_id;
END
$$;

-- Trigger function: gives a new row of the outbox what decides which readers it is for: the organization of its task, and
-- the ancestors of the task. The task may be deleted in the same transaction, and then its row no longer has either. A
-- row that is recorded as published is announced to no organization, and does not fire the trigger.
--
-- Result  the row to insert; of the ancestors, the nearest 32 at most, so that a long chain of tasks stays affordable
--
-- Takes no lock: the function that inserts holds that of the task.
CREATE OR REPLACE FUNCTION set_outbox_readers() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  parent text COLLATE "C";
BEGIN
  SELECT organization, parent_id INTO NEW.organization, parent FROM tasks WHERE id = NEW.task_id;
  IF parent IS NOT NULL THEN
    WITH RECURSIVE above AS (
      SELECT parent AS id, 1 AS level
      UNION ALL
      SELECT tasks.parent_id, level + 1 FROM above JOIN tasks ON tasks.id = above.id
      WHERE tasks.parent_id IS NOT NULL AND level < 32
    )
    SELECT array_agg(id ORDER BY level) INTO NEW.ancestors FROM above;
  END IF;
  RETURN NEW;
END
$$;
