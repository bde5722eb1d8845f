-- Puts a tombstone in the place of an expired version, and records the event of its expiry. The tombstone has the next
-- version, which is odd, so that no write has it.
--
-- p_task_id, p_key  the attachment
-- p_version         the version that has expired
-- Result            false if the task is missing, or another version is there now
--
-- Locks: the task (shared), the key, the task's row to count; see "The order of locks" in task_lock.sql.
CREATE OR REPLACE FUNCTION expire_attachment(p_task_id text, p_key text, p_version bigint) RETURNS boolean
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
