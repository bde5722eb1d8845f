-- Whose events these are; null for what is recorded of a task after its deletion, which nobody is told.
ALTER TABLE outbox ADD COLUMN organization text COLLATE "C";

UPDATE outbox SET organization = tasks.organization FROM tasks WHERE tasks.id = outbox.task_id;

CREATE FUNCTION set_outbox_organization() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  SELECT organization INTO NEW.organization FROM tasks WHERE id = NEW.task_id;
  RETURN NEW;
END
$$;

CREATE TRIGGER set_organization BEFORE INSERT ON outbox
FOR EACH ROW EXECUTE FUNCTION set_outbox_organization();

-- The sweep looks for what has expired in all tasks, the purge for tombstones that order no write any more.
CREATE INDEX task_attachments_by_time_to_live ON task_attachments (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX task_attachments_tombstones ON task_attachments (version) WHERE deleted;

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
  PERFORM FROM tasks WHERE id = p_task_id AND deleted_version IS NULL FOR KEY SHARE;
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
-- p_organization  null: whichever owns the task
-- p_mode          direct; force: a deletion also replaces what is expired, deleted or not there, so that no older write
--                 can come back; drain: the same for a write acknowledged elsewhere, whose event is recorded even where
--                 the write comes too late, and which no limit refuses
-- state           applied; task-missing; condition-failed, with the live attachment's stored_version; superseded, with
--                 the stored_version that is not lower; attachment-missing; task-full
-- id, created_*   of the attachment that is there now, or was deleted
--
-- What has expired and is replaced before any sweep has found it is announced as expired first.
CREATE OR REPLACE FUNCTION write_attachment(
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
  PERFORM FROM tasks
  WHERE id = p_task_id AND deleted_version IS NULL AND (p_organization IS NULL OR organization = p_organization)
  FOR KEY SHARE;
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
