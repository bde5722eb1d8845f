-- Every function that writes takes its locks in this order, so that no two of them wait for each other:
--   1. the task, by a shared advisory lock: it cannot be deleted until the write is done. A row lock would do, were it
--      not raised to count: writers that hold it in common would wait for a deletion that waits for them;
--   2. the key, by an advisory lock, which unlike a row lock also holds a key that has no row yet;
--   3. the task row itself, to count or to change it.
-- What is refused is refused under these locks, before anything is written.

CREATE FUNCTION task_lock(p_task_id text) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT hashtextextended(p_task_id, 0)
$$;

CREATE FUNCTION key_lock(p_task_id text, p_key text) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT hashtextextended(p_task_id || '/' || p_key, 0)
$$;

-- The event of a write that met the attachment `p_attachment_id`, alive, under its key.
CREATE FUNCTION event_of_stored(p_event json, p_attachment_id text) RETURNS json
LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_set(
    jsonb_set(p_event::jsonb, '{payload,attachmentId}', to_jsonb(p_attachment_id)),
    '{metadata,replaced}', 'true', create_if_missing => false)::json
$$;

-- The event that the core makes of an expired attachment: one id for each version, so that it is recorded once.
CREATE FUNCTION record_expiry(expired task_attachments) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  op uuid := overlay(expired.op_id::text PLACING '8' FROM 15);
BEGIN
  INSERT INTO outbox (op_id, task_id, key, version, kind, event)
  VALUES (op, expired.task_id, expired.key, expired.version + 1, 'attachment', json_build_object(
    'type', 'task.attachment.expired',
    'payload', json_build_object('taskId', expired.task_id, 'key', expired.key, 'attachmentId', expired.id),
    'metadata', json_build_object(
      'expiredAt', to_char(expired.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'eventId', op, 'version', expired.version + 1),
    'timestamp', round(extract(epoch FROM expired.expires_at) * 1000)::bigint))
  ON CONFLICT (op_id) DO NOTHING;
END
$$;

-- Leaves a tombstone of the version `p_version`, if that is still there, and announces its expiry; the version above it
-- is odd and free. Takes its locks in the order in which everything that writes does.
CREATE FUNCTION expire_attachment(p_task_id text, p_key text, p_version bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  expired task_attachments;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(task_lock(p_task_id));
  PERFORM FROM tasks WHERE id = p_task_id AND deleted_version IS NULL;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM pg_advisory_xact_lock(key_lock(p_task_id, p_key));
  SELECT * INTO expired FROM task_attachments
  WHERE task_id = p_task_id AND key = p_key AND version = p_version AND NOT deleted;
  IF NOT FOUND THEN
    RETURN false;
  END IF;

  UPDATE tasks SET attachment_count = attachment_count - 1 WHERE id = p_task_id;
  PERFORM record_expiry(expired);
  UPDATE task_attachments SET
    id = NULL, type = NULL, value = NULL, content = NULL, url = NULL, mime_type = NULL, size = NULL, bytes = NULL,
    created_by = NULL, created_at = NULL, updated_at = NULL, expires_at = NULL,
    version = p_version + 1, op_id = overlay(op_id::text PLACING '8' FROM 15)::uuid, deleted = true
  WHERE task_id = p_task_id AND key = p_key;
  RETURN true;
END
$$;

-- Writes one version of one attachment, or with `p_deleted` its tombstone, and its event.
--
-- p_mode         direct; force: a deletion also replaces what is expired, deleted or not there, so that no older write
--                can come back; drain: the same for a write acknowledged elsewhere, whose event is recorded even where
--                the write comes too late, which no limit refuses, and which is applied if it is found to stand there
-- p_now          decides what is expired
-- state          applied; task-missing; condition-failed, with the live attachment's stored_version; superseded, with
--                the stored_version that is not lower; attachment-missing; task-full
-- id, created_*  of the attachment that is there now, or was deleted; null where there was none to delete
--
-- What has expired and is replaced before any sweep has found it is announced as expired first.
CREATE FUNCTION write_attachment(
  p_task_id text, p_key text, p_deleted boolean, p_id text, p_type text, p_value json, p_content text, p_url text,
  p_mime_type text, p_size bigint, p_bytes integer, p_created_by text, p_created_at timestamptz,
  p_updated_at timestamptz, p_expires_at timestamptz, p_version bigint, p_op_id uuid, p_event json,
  p_organization text, p_mode text, p_if_absent boolean, p_if_version bigint, p_now timestamptz, p_max_attachments integer
) RETURNS TABLE (
  state text, stored_version bigint, id text, created_at timestamptz, created_by text, replaced boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  stored  task_attachments;
  counted boolean;
  live    boolean;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(task_lock(p_task_id));
  PERFORM FROM tasks
  WHERE id = p_task_id AND deleted_version IS NULL AND organization = p_organization;
  IF NOT FOUND THEN
    IF p_mode = 'drain' THEN
      -- Nothing of a task is announced after its deletion.
      INSERT INTO outbox (op_id, task_id, key, version, kind, event, superseded, published)
      VALUES (p_op_id, p_task_id, p_key, p_version, 'attachment', p_event, true, true)
      ON CONFLICT (op_id) DO NOTHING;
    END IF;
    state := 'task-missing';
    RETURN NEXT;
    RETURN;
  END IF;

  PERFORM pg_advisory_xact_lock(key_lock(p_task_id, p_key));
  SELECT a.* INTO stored
  FROM task_attachments a WHERE a.task_id = p_task_id AND a.key = p_key;
  counted := FOUND AND NOT stored.deleted;
  live := counted AND (stored.expires_at IS NULL OR stored.expires_at > p_now);

  IF p_mode = 'drain' AND stored.op_id = p_op_id THEN
    -- By an earlier drain, or by a write that was given up and took effect later: its event is recorded.
    state := 'applied';
    id := stored.id;
    created_at := stored.created_at;
    created_by := stored.created_by;
    RETURN NEXT;
    RETURN;
  END IF;

  IF p_if_absent AND live OR p_if_version IS NOT NULL AND (NOT live OR stored.version <> p_if_version) THEN
    state := 'condition-failed';
    stored_version := CASE WHEN live THEN stored.version END;
  ELSIF p_deleted AND NOT live AND p_mode = 'direct' THEN
    state := 'attachment-missing';
  ELSIF stored.version >= p_version THEN
    state := 'superseded';
    stored_version := stored.version;
  ELSIF p_deleted THEN
    state := 'applied';
    UPDATE tasks SET attachment_count = attachment_count - 1 WHERE id = p_task_id AND counted;
  ELSIF live THEN
    state := 'applied';
  ELSE
    UPDATE tasks SET attachment_count = attachment_count + CASE WHEN counted THEN 0 ELSE 1 END
    WHERE id = p_task_id AND (attachment_count < p_max_attachments OR p_mode = 'drain' OR attachment_count - (
      SELECT count(*) FROM task_attachments a WHERE a.task_id = p_task_id AND a.expires_at <= p_now
    ) < p_max_attachments);
    state := CASE WHEN FOUND THEN 'applied' ELSE 'task-full' END;
  END IF;

  replaced := live;
  id := CASE WHEN live THEN stored.id ELSE p_id END;
  created_at := CASE WHEN live THEN stored.created_at ELSE p_created_at END;
  created_by := CASE WHEN live THEN stored.created_by ELSE p_created_by END;

  IF state = 'applied' AND counted AND NOT live THEN
    PERFORM record_expiry(stored);
  END IF;

  IF state = 'applied' AND p_deleted THEN
    INSERT INTO task_attachments (task_id, key, version, op_id, deleted)
    VALUES (p_task_id, p_key, p_version, p_op_id, true)
    ON CONFLICT (task_id, key) DO UPDATE SET
      id = NULL, type = NULL, value = NULL, content = NULL, url = NULL, mime_type = NULL, size = NULL, bytes = NULL,
      created_by = NULL, created_at = NULL, updated_at = NULL, expires_at = NULL,
      version = EXCLUDED.version, op_id = EXCLUDED.op_id, deleted = true;
  ELSIF state = 'applied' THEN
    INSERT INTO task_attachments (task_id, key, id, type, value, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, deleted)
    VALUES (p_task_id, p_key, write_attachment.id, p_type, p_value, p_content, p_url, p_mime_type, p_size, p_bytes,
      write_attachment.created_by, write_attachment.created_at, p_updated_at, p_expires_at, p_version, p_op_id, false)
    ON CONFLICT (task_id, key) DO UPDATE SET
      id = EXCLUDED.id, type = EXCLUDED.type, value = EXCLUDED.value, content = EXCLUDED.content, url = EXCLUDED.url,
      mime_type = EXCLUDED.mime_type, size = EXCLUDED.size, bytes = EXCLUDED.bytes, created_by = EXCLUDED.created_by,
      created_at = EXCLUDED.created_at, updated_at = EXCLUDED.updated_at, expires_at = EXCLUDED.expires_at,
      version = EXCLUDED.version, op_id = EXCLUDED.op_id, deleted = false;
  END IF;

  IF state = 'applied' OR state = 'superseded' AND p_mode = 'drain' THEN
    INSERT INTO outbox (op_id, task_id, key, version, kind, superseded, event)
    VALUES (p_op_id, p_task_id, p_key, p_version, 'attachment', state = 'superseded',
      CASE WHEN state = 'applied' AND live THEN event_of_stored(p_event, stored.id) ELSE p_event END)
    ON CONFLICT (op_id) DO NOTHING;
  END IF;
  RETURN NEXT;
END
$$;

-- p_puts: an array of the task's first attachments, members named as their columns, times in ISO 8601, `value` as a
-- string that holds the JSON text, and `event`. Returns inserted, parent-missing or id-taken.
CREATE FUNCTION create_task(
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
    updated_at, updated_by, completed_at, completed_by, cancelled_at, cancelled_by, error, revision, attachment_count)
  VALUES (p_id, p_organization, p_text, p_status, p_priority, p_metadata, p_parent_id, p_assigned_to, p_created_at,
    p_created_by, p_updated_at, p_updated_by, p_completed_at, p_completed_by, p_cancelled_at, p_cancelled_by, p_error,
    p_revision, json_array_length(p_puts))
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

-- p_put: null, or one element of what `create_task` takes. State stale: the task is not there in the revision before
-- `p_revision`; updated; otherwise why `write_attachment` refused. The other columns are those of `write_attachment`.
CREATE FUNCTION update_task(
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
      p_id, put.key, false, put.id, put.type, put.value::json, put.content, put.url, put.mime_type, put.size, put.bytes,
      put.created_by, put.created_at, put.updated_at, put.expires_at, put.version, put.op_id, put.event,
      p_organization, 'direct', false, NULL, p_updated_at, p_max_attachments) AS written;
    IF state <> 'applied' THEN
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;

  UPDATE tasks SET
    text = p_text, status = p_status, priority = p_priority, metadata = p_metadata, assigned_to = p_assigned_to,
    updated_at = p_updated_at, updated_by = p_updated_by, completed_at = p_completed_at, completed_by = p_completed_by,
    cancelled_at = p_cancelled_at, cancelled_by = p_cancelled_by, error = p_error, revision = p_revision
  WHERE id = p_id;
  INSERT INTO outbox (op_id, task_id, kind, event)
  VALUES ((p_event #>> '{metadata,eventId}')::uuid, p_id, 'task', p_event);
  state := 'updated';
  RETURN NEXT;
END
$$;

-- Locks a task and all its sub-tasks, level by level: while a task is locked, nobody can give it another sub-task.
-- Returns them, parents before their children, as they are once locked: the calling statement's snapshot is older, and
-- may neither see the last change nor the last sub-task. Nothing where the task is missing. The row locks keep out what
-- takes no other lock, but for the foreign keys of sub-tasks: a writer there would wait, and be waited for.
CREATE FUNCTION lock_task_tree(p_id text, p_organization text) RETURNS SETOF tasks
LANGUAGE plpgsql AS $$
DECLARE
  level text[];
BEGIN
  PERFORM pg_advisory_xact_lock(task_lock(p_id));
  SELECT array_agg(id) INTO level FROM tasks
  WHERE id = p_id AND organization = p_organization AND deleted_version IS NULL;
  WHILE level IS NOT NULL LOOP
    RETURN QUERY SELECT * FROM tasks WHERE id = ANY (level) ORDER BY id FOR NO KEY UPDATE;
    PERFORM pg_advisory_xact_lock(task_lock(id)) FROM (
      SELECT id FROM tasks WHERE parent_id = ANY (level) ORDER BY id
    ) AS children;
    SELECT array_agg(id) INTO level FROM tasks WHERE parent_id = ANY (level);
  END LOOP;
END
$$;

-- Leaves tombstones of locked tasks and nothing of their attachments, and records their events in the order given.
-- p_deletions: an array of {task_id, version, op_id, events}; the event whose id is `op_id` announces the deletion.
CREATE FUNCTION delete_tasks(p_deletions json) RETURNS void
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
    deleted_version = deletions.version, deleted_op = deletions.op_id, deleted_at = now()
  FROM json_to_recordset(p_deletions) AS deletions(task_id text, version bigint, op_id uuid)
  WHERE tasks.id = deletions.task_id;
END
$$;
