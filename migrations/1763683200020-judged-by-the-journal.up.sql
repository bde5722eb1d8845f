-- While entries wait in the journal, a write is judged by what the journal holds under its key. `write_attachment` gets a
-- parameter for it; the function of the previous release stays for the replicas that call it.

-- Writes one version of one attachment, or its tombstone, and the event of the write.
--
-- p_task_id … p_op_id  the row to write; of a deletion, `p_id` and what describes a body are null
-- p_deleted            whether to write a tombstone
-- p_event              the event as the core drafted it, as if the key were new
-- p_organization       a task of another organization counts as missing
-- p_mode               direct
--                      force: a deletion is also written if the attachment is expired, deleted or not there, so that no
--                      older write can come back
--                      drain: as force, for a write from the journal, which is acknowledged already. No limit refuses
--                      it, it is applied if it is found stored, and its event is recorded even if it comes too late
-- p_if_absent, p_if_version
--                      the caller's condition; p_if_version is null if there is none
-- p_journaled          what the journal holds under the key and the database may not have yet; null if nothing is known.
--                      {version}, and of a put also {id, created_at, created_by, expires_at}. If it is newer than the
--                      stored row, the write is judged by it
-- p_now                decides what is expired
-- p_max_attachments    how many live attachments the task may have
--
-- Result, one row:
-- state                applied; task-missing; condition-failed; superseded; attachment-missing; task-full
-- stored_version       of condition-failed, the version of the live attachment, if there is one; of superseded, the
--                      stored version, which is not lower
-- id, created_at, created_by
--                      of the attachment that is there now, or that was deleted; null if there was none to delete
-- replaced             whether a live attachment was there before
--
-- If the write replaces an attachment that has expired and was not swept yet, its expiry is recorded first.
--
-- Locks: the task (shared), the key, the task's row to count; see "The order of locks" in task_lock.sql.
CREATE OR REPLACE FUNCTION write_attachment(
  p_task_id text, p_key text, p_deleted boolean, p_id text, p_type text, p_value json, p_content text, p_url text,
  p_mime_type text, p_size bigint, p_bytes integer, p_created_by text, p_created_at timestamptz,
  p_updated_at timestamptz, p_expires_at timestamptz, p_version bigint, p_op_id uuid, p_event json,
  p_journaled json, p_organization text, p_mode text, p_if_absent boolean, p_if_version bigint, p_now timestamptz,
  p_max_attachments integer
) RETURNS TABLE (
  state text, stored_version bigint, id text, created_at timestamptz, created_by text, replaced boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  stored       task_attachments;
  standing     task_attachments;
  is_journaled boolean;
  counted      boolean;
  live         boolean;
BEGIN
  -- Twice: nothing is locked for a caller who has no such task, and under the lock the task stays.
  PERFORM FROM tasks WHERE id = p_task_id AND deleted_version IS NULL AND organization = p_organization;
  IF FOUND THEN
    PERFORM pg_advisory_xact_lock_shared(task_lock(p_task_id));
    PERFORM FROM tasks WHERE id = p_task_id AND deleted_version IS NULL AND organization = p_organization;
  END IF;
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
  standing := stored;
  is_journaled := coalesce((p_journaled ->> 'version')::bigint > coalesce(stored.version, 0), false);
  IF is_journaled THEN
    standing := json_populate_record(NULL::task_attachments, p_journaled);
  END IF;
  live := standing.id IS NOT NULL AND (standing.expires_at IS NULL OR standing.expires_at > p_now);

  IF p_mode = 'drain' AND stored.op_id = p_op_id THEN
    -- An earlier drain has applied the write, or a call that was given up and took effect later. Its event is recorded.
    state := 'applied';
    id := stored.id;
    created_at := stored.created_at;
    created_by := stored.created_by;
    RETURN NEXT;
    RETURN;
  END IF;

  IF p_if_absent AND live OR p_if_version IS NOT NULL AND (NOT live OR standing.version <> p_if_version) THEN
    state := 'condition-failed';
    stored_version := CASE WHEN live THEN standing.version END;
  ELSIF p_deleted AND NOT live AND p_mode = 'direct' THEN
    state := 'attachment-missing';
  ELSIF standing.version >= p_version THEN
    state := 'superseded';
    stored_version := standing.version;
  ELSIF p_deleted THEN
    state := 'applied';
    UPDATE tasks SET attachment_count = attachment_count - 1 WHERE id = p_task_id AND counted;
  ELSIF live AND counted THEN
    state := 'applied';
  ELSE
    -- What is journaled counts against no limit: it is acknowledged.
    UPDATE tasks SET attachment_count = attachment_count + CASE WHEN counted THEN 0 ELSE 1 END
    WHERE id = p_task_id AND (attachment_count < p_max_attachments OR p_mode = 'drain' OR live
      OR is_journaled AND counted OR attachment_count - (
      SELECT count(*) FROM task_attachments a WHERE a.task_id = p_task_id AND a.expires_at <= p_now
    ) < p_max_attachments);
    state := CASE WHEN FOUND THEN 'applied' ELSE 'task-full' END;
  END IF;

  replaced := live;
  id := CASE WHEN live THEN standing.id ELSE p_id END;
  created_at := CASE WHEN live THEN standing.created_at ELSE p_created_at END;
  created_by := CASE WHEN live THEN standing.created_by ELSE p_created_by END;

  IF state = 'applied' AND counted AND stored.expires_at <= p_now THEN
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
    -- Readers of events rely on it that a transaction has its number before its rows get theirs.
    PERFORM pg_current_xact_id();
    INSERT INTO outbox (op_id, task_id, key, version, kind, superseded, event)
    VALUES (p_op_id, p_task_id, p_key, p_version, 'attachment', state = 'superseded',
      CASE WHEN state = 'applied' AND live THEN event_of_stored(p_event, standing.id) ELSE p_event END)
    ON CONFLICT (op_id) DO NOTHING;
  END IF;
  RETURN NEXT;
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
  PERFORM FROM tasks WHERE id = p_id AND organization = p_organization AND deleted_version IS NULL;
  -- Nothing is locked for a caller who has no such task.
  IF FOUND AND p_put IS NOT NULL THEN
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
      p_event => put.event, p_journaled => NULL, p_organization => p_organization, p_mode => 'direct',
      p_if_absent => false, p_if_version => NULL, p_now => p_updated_at, p_max_attachments => p_max_attachments) AS written;
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
