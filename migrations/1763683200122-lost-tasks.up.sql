-- Writes one version of one attachment, or its tombstone, and the event of the write.
--
-- p_task_id … p_op_id  the row to write; of a deletion, `p_id` and what describes a body are null
-- p_deleted            whether to write a tombstone
-- p_event              the event as the core drafted it, as if the key were new
-- p_organization       a task of another organisation counts as missing
-- p_mode               direct
--                      force: a deletion is also written if the attachment is expired, deleted or not there, so that no
--                      older write can come back. For version 0.1.0, which still asks for it
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
--                      If the task is deleted, superseded for a drain and task-missing for the other modes
-- stored_version       of condition-failed, the version of the live attachment, if there is one; of superseded, the
--                      stored version, which is not lower, and null if the task is deleted
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
  parent       text;
BEGIN
  -- Twice: nothing is locked for a caller who has no such task, and under the lock the task stays.
  PERFORM FROM tasks WHERE id = p_task_id AND deleted_version IS NULL AND organization = p_organization;
  IF FOUND THEN
    PERFORM pg_advisory_xact_lock_shared(task_lock(p_task_id));
    SELECT parent_id INTO parent FROM tasks
    WHERE id = p_task_id AND deleted_version IS NULL AND organization = p_organization;
  END IF;
  IF NOT FOUND THEN
    state := 'task-missing';
    -- A write from the journal was acknowledged when its task was there. If the task is deleted now, its deletion has
    -- overtaken the write. If the database has never had the task, the write is lost, and someone has to know.
    PERFORM FROM tasks WHERE id = p_task_id AND deleted_version IS NOT NULL;
    IF FOUND AND p_mode = 'drain' THEN
      state := 'superseded';
      -- Nothing of a task is announced after its deletion.
      PERFORM pg_advisory_xact_lock(key_lock(p_task_id, p_key));
      IF NOT is_recorded(p_op_id) THEN
        INSERT INTO outbox_history (op_id, task_id, key, version, kind, event, superseded, unannounced)
        VALUES (p_op_id, p_task_id, p_key, p_version, 'attachment', p_event, true, true);
      END IF;
    END IF;
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
    -- Only an entry of the journal can come twice with one op: any other attempt finds its own version stored.
    IF p_mode <> 'drain' OR NOT is_recorded(p_op_id) THEN
      INSERT INTO outbox_history (op_id, task_id, key, version, organization, ancestors, kind, superseded, event)
      VALUES (p_op_id, p_task_id, p_key, p_version, p_organization,
        CASE WHEN parent IS NOT NULL THEN ancestors_of(p_task_id) END, 'attachment', state = 'superseded',
        CASE WHEN state = 'applied' AND live THEN event_of_stored(p_event, standing.id) ELSE p_event END);
    END IF;
  END IF;
  RETURN NEXT;
END
$$;
