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
DECLARE
  parent text;
BEGIN
  PERFORM FROM tasks WHERE id = p_id AND organization = p_organization AND deleted_version IS NULL;
  -- Nothing is locked for a caller who has no such task.
  IF FOUND AND p_put IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock_shared(task_lock(p_id));
    PERFORM pg_advisory_xact_lock(key_lock(p_id, p_put ->> 'key'));
  END IF;
  SELECT parent_id INTO parent FROM tasks
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
  INSERT INTO outbox_history (op_id, task_id, organization, ancestors, kind, event)
  VALUES ((p_event #>> '{metadata,eventId}')::uuid, p_id, p_organization,
    CASE WHEN parent IS NOT NULL THEN ancestors_of(p_id) END, 'task', p_event);
  state := 'updated';
  RETURN NEXT;
END
$$;
