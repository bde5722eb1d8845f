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
DECLARE
  above text[];
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

  IF p_parent_id IS NOT NULL THEN
    above := ancestors_of(p_id);
  END IF;
  INSERT INTO outbox_history (op_id, task_id, organization, ancestors, kind, event)
  VALUES ((p_event #>> '{metadata,eventId}')::uuid, p_id, p_organization, above, 'task', p_event);

  IF json_array_length(p_puts) > 0 THEN
    INSERT INTO task_attachments (task_id, key, id, type, value, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, deleted)
    SELECT p_id, key, id, type, value::json, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, false
    FROM json_to_recordset(p_puts) AS put(
      key text, id text, type text, value text, content text, url text, mime_type text, size bigint, bytes integer,
      created_by text, created_at timestamptz, updated_at timestamptz, expires_at timestamptz, version bigint, op_id uuid);

    INSERT INTO outbox_history (op_id, task_id, key, version, organization, ancestors, kind, event)
    SELECT (put ->> 'op_id')::uuid, p_id, put ->> 'key', (put ->> 'version')::bigint, p_organization, above, 'attachment',
      put -> 'event'
    FROM json_array_elements(p_puts) WITH ORDINALITY AS puts(put, position) ORDER BY position;
  END IF;
  RETURN 'inserted';
END
$$;
