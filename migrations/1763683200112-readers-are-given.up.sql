-- Functions that record an event give its organization and the ancestors of its task, instead of leaving it to a trigger
-- to look both up once more. The trigger stays for what is recorded without: by functions that seldom are called, and by those
-- that only the previous release calls.
CREATE OR REPLACE TRIGGER set_readers BEFORE INSERT ON outbox_history
FOR EACH ROW WHEN (NEW.organization IS NULL AND NOT NEW.unannounced) EXECUTE FUNCTION set_outbox_readers();

-- Trigger function: gives a new row of the outbox what decides which readers it is for: the organization of its task, and
-- the ancestors of the task. The task may be deleted in the same transaction, and then its row no longer has either. It
-- fires for a row without an organization, unless that is announced to nobody: most functions that record have read the
-- task before, and give both.
--
-- Result  the row to insert; its ancestors are those of `ancestors_of`
--
-- Takes no lock: the function that inserts holds that of the task.
CREATE OR REPLACE FUNCTION set_outbox_readers() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  parent text COLLATE "C";
BEGIN
  SELECT organization, parent_id INTO NEW.organization, parent FROM tasks WHERE id = NEW.task_id;
  IF parent IS NOT NULL THEN
    NEW.ancestors := ancestors_of(NEW.task_id);
  END IF;
  RETURN NEW;
END
$$;

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
    IF p_mode = 'drain' THEN
      -- Nothing of a task is announced after its deletion.
      PERFORM pg_advisory_xact_lock(key_lock(p_task_id, p_key));
      IF NOT is_recorded(p_op_id) THEN
        INSERT INTO outbox_history (op_id, task_id, key, version, kind, event, superseded, unannounced)
        VALUES (p_op_id, p_task_id, p_key, p_version, 'attachment', p_event, true, true);
      END IF;
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

-- Writes many unconditional puts, of several callers, in one transaction. What cannot be written like the others is left
-- out: the caller writes it with `write_attachment`.
--
-- p_writes           an array of the puts: members named as the parameters of `write_attachment`, without the prefix;
--                    `value` is a string that holds the JSON text, times are in ISO 8601. Puts of one key are in the order
--                    of their versions, no two of which are the same, and only the last of them may expire
-- p_wait             whether to wait for a task that another transaction holds, and for a key if all puts are of one.
--                    Only if all puts are of one task
-- p_max_attachments  how many live attachments a task may have
--
-- Result, one row for each put:
-- position           in the array, from 1
-- state              applied; task-missing; superseded, as in `write_attachment`; task-held, key-held: another transaction
--                    holds the task, or the key; left-out: the put is no plain one, because it replaces an attachment
--                    that has expired, or because its task is nearly full
-- the other columns  those of `write_attachment`; identities of applied puts only
--
-- Puts of one key take effect one after the other: each is recorded, and the last one is stored.
--
-- Locks: those of `write_attachment`, of all puts, kind by kind. It waits for a lock only if all puts need the same: if
-- `p_wait`, for the task and its row, and for the key if there is one. So no put waits for the lock of another one, and no
-- transaction waits for one that waits.
CREATE OR REPLACE FUNCTION write_attachments(p_writes json, p_wait boolean, p_max_attachments integer) RETURNS TABLE (
  "position" bigint, state text, stored_version bigint, id text, created_at timestamptz, created_by text, replaced boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  task_ids text[];
  keys     text[];
  free     text[];
  held     bigint[];
  counting text[];
BEGIN
  SELECT array_agg(task_id ORDER BY position), array_agg(key ORDER BY position),
    -- No lock is taken for a caller who has no such task.
    array_agg(DISTINCT task_id) FILTER (WHERE EXISTS (
      SELECT FROM tasks WHERE id = task_id AND organization = puts.organization AND deleted_version IS NULL))
  INTO task_ids, keys, free
  FROM ROWS FROM (json_to_recordset(p_writes) AS (task_id text, key text, organization text))
    WITH ORDINALITY AS puts(task_id, key, organization, position);

  IF p_wait THEN
    PERFORM pg_advisory_xact_lock_shared(task_lock(task_id)) FROM unnest(free) AS task_id;
    IF keys[1] = ALL (keys) THEN
      PERFORM pg_advisory_xact_lock(key_lock(task_id, keys[1])) FROM unnest(free) AS task_id;
    END IF;
  ELSE
    SELECT array_agg(task_id) INTO free FROM unnest(free) AS task_id
    WHERE pg_try_advisory_xact_lock_shared(task_lock(task_id));
  END IF;

  SELECT array_agg(position) INTO held FROM (
    SELECT * FROM unnest(task_ids, keys) WITH ORDINALITY AS puts(task_id, key, position)
    WHERE task_id = ANY (free) OFFSET 0
  ) AS puts WHERE pg_try_advisory_xact_lock(key_lock(task_id, key));

  SELECT array_agg(DISTINCT task_id) INTO counting
  FROM unnest(task_ids, keys) WITH ORDINALITY AS puts(task_id, key, position)
  WHERE position = ANY (held) AND NOT EXISTS (
    SELECT FROM task_attachments AS stored
    WHERE stored.task_id = puts.task_id AND stored.key = puts.key AND NOT stored.deleted);
  IF p_wait THEN
    PERFORM FROM tasks WHERE id = ANY (counting) FOR NO KEY UPDATE;
  ELSE
    SELECT array_agg(id) INTO counting
    FROM (SELECT id FROM tasks WHERE id = ANY (counting) FOR NO KEY UPDATE SKIP LOCKED) AS locked;
  END IF;

  -- Readers of events rely on it that a transaction has its number before its rows get theirs.
  PERFORM pg_current_xact_id();

  RETURN QUERY WITH judged AS MATERIALIZED (
    SELECT puts.*, parent_id, stored.version AS stored_version, live, stored.id AS stored_id,
      stored.created_at AS stored_created_at, stored.created_by AS stored_created_by,
      stored.deleted IS FALSE AS counted,
      CASE
        WHEN tasks.id IS NULL THEN 'task-missing'
        WHEN puts.task_id <> ALL (coalesce(free, '{}')) THEN 'task-held'
        WHEN position <> ALL (coalesce(held, '{}')) THEN 'key-held'
        WHEN stored.version >= puts.version THEN 'superseded'
        WHEN live THEN 'applied'
        WHEN NOT stored.deleted THEN 'left-out'
        WHEN puts.task_id <> ALL (coalesce(counting, '{}')) THEN 'task-held'
        ELSE 'applied'
      END AS state
    FROM ROWS FROM (json_to_recordset(p_writes) AS (
      organization text, task_id text, key text, id text, type text, value text, content text, url text,
      mime_type text, size bigint, bytes integer, created_by text, created_at timestamptz, updated_at timestamptz,
      expires_at timestamptz, version bigint, op_id uuid, event json, now timestamptz
    )) WITH ORDINALITY AS puts(organization, task_id, key, id, type, value, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, event, now, position)
    LEFT JOIN LATERAL (
      SELECT id, parent_id FROM tasks WHERE id = puts.task_id AND organization = puts.organization AND deleted_version IS NULL LIMIT 1
    ) AS tasks ON true
    LEFT JOIN LATERAL (
      SELECT * FROM task_attachments WHERE task_id = puts.task_id AND key = puts.key LIMIT 1
    ) AS stored ON true
    CROSS JOIN LATERAL (
      SELECT coalesce(NOT stored.deleted AND (stored.expires_at IS NULL OR stored.expires_at > now), false) AS live
    ) AS of_stored
  ), counted AS (
    UPDATE tasks SET attachment_count = attachment_count + added FROM (
      SELECT task_id, count(DISTINCT key)::integer AS added FROM judged WHERE state = 'applied' AND NOT live GROUP BY task_id
    ) AS additions
    WHERE tasks.id = task_id AND attachment_count + added <= p_max_attachments
    RETURNING task_id
  ), applied AS MATERIALIZED (
    SELECT *,
      CASE WHEN live THEN stored_id ELSE first_value(id) OVER of_key END AS kept_id,
      CASE WHEN live THEN stored_created_at ELSE first_value(created_at) OVER of_key END AS kept_created_at,
      CASE WHEN live THEN stored_created_by ELSE first_value(created_by) OVER of_key END AS kept_created_by,
      live OR row_number() OVER of_key > 1 AS replaces,
      lead(position) OVER of_key IS NULL AS is_last
    FROM judged WHERE state = 'applied' AND (live OR task_id IN (SELECT task_id FROM counted))
    WINDOW of_key AS (PARTITION BY task_id, key ORDER BY position)
  ), written AS (
    INSERT INTO task_attachments (task_id, key, id, type, value, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, deleted)
    SELECT task_id, key, kept_id, type, value::json, content, url, mime_type, size, bytes,
      kept_created_by, kept_created_at, updated_at, expires_at, version, op_id, false
    FROM applied WHERE is_last
    ON CONFLICT (task_id, key) DO UPDATE SET
      id = EXCLUDED.id, type = EXCLUDED.type, value = EXCLUDED.value, content = EXCLUDED.content, url = EXCLUDED.url,
      mime_type = EXCLUDED.mime_type, size = EXCLUDED.size, bytes = EXCLUDED.bytes, created_by = EXCLUDED.created_by,
      created_at = EXCLUDED.created_at, updated_at = EXCLUDED.updated_at, expires_at = EXCLUDED.expires_at,
      version = EXCLUDED.version, op_id = EXCLUDED.op_id, deleted = false
  ), recorded AS (
    INSERT INTO outbox_history (op_id, task_id, key, version, organization, ancestors, kind, superseded, event)
    SELECT op_id, task_id, key, version, organization,
      CASE WHEN parent_id IS NOT NULL THEN ancestors_of(task_id) END, 'attachment', false,
      CASE WHEN replaces THEN event_of_stored(event, kept_id) ELSE event END
    FROM applied ORDER BY position
  )
  SELECT judged.position, CASE WHEN judged.state = 'applied' AND applied.position IS NULL THEN 'left-out' ELSE judged.state END,
    CASE WHEN judged.state = 'superseded' THEN judged.stored_version END,
    kept_id, kept_created_at, kept_created_by, replaces
  FROM judged LEFT JOIN applied ON applied.position = judged.position;
END
$$;

-- Writes many entries of the journal in one transaction: all of them, or none if one fails.
--
-- p_writes  an array of the entries, those of one key in their order: members named as the parameters of
--           `write_attachment`, without the prefix; `value` is a string that holds the JSON text, times are in ISO 8601,
--           and `now` is the time of the event
--
-- Result, one row for each entry that could be written now:
-- position  of the entry in the array, from 1
-- the other columns  those of `write_attachment`. There is no row for an entry whose task another transaction holds
--
-- Most entries are puts under keys that the database has never seen. Nothing stands in their way, so they are inserted
-- together; all others are written by `write_attachment`.
--
-- Locks: those of `write_attachment`, of all entries, kind by kind. It does not wait for a task: a deletion that locks a
-- tree might wait in turn for another task of this batch. The keys are locked in the order of their locks and the rows
-- of the tasks in the order of their ids, so that two batches cannot wait for each other.
CREATE OR REPLACE FUNCTION drain_attachments(p_writes json) RETURNS TABLE (
  "position" bigint, state text, stored_version bigint, id text, created_at timestamptz, created_by text, replaced boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  free  text[];
  fresh bigint[];
BEGIN
  -- No lock is taken for a caller who has no such task.
  SELECT array_agg(task_id) INTO free FROM (
    SELECT DISTINCT entry ->> 'task_id' AS task_id, tasks.id IS NOT NULL AS is_there
    FROM json_array_elements(p_writes) AS entries(entry) LEFT JOIN tasks
      ON tasks.id = entry ->> 'task_id' AND tasks.organization = entry ->> 'organization' AND deleted_version IS NULL
  ) AS tasks
  WHERE CASE WHEN is_there THEN pg_try_advisory_xact_lock_shared(task_lock(task_id)) ELSE true END;

  PERFORM pg_advisory_xact_lock(lock) FROM (
    SELECT DISTINCT key_lock(entry ->> 'task_id', entry ->> 'key') AS lock
    FROM json_array_elements(p_writes) AS entries(entry) WHERE entry ->> 'task_id' = ANY (free) ORDER BY lock
  ) AS keys;

  PERFORM FROM tasks WHERE id = ANY (free) ORDER BY id FOR NO KEY UPDATE;

  -- Readers of events rely on it that a transaction has its number before its rows get theirs.
  PERFORM pg_current_xact_id();

  WITH entries AS MATERIALIZED (
    SELECT *, count(*) OVER (PARTITION BY task_id, key) AS of_key
    FROM ROWS FROM (json_to_recordset(p_writes) AS (
      organization text, task_id text, key text, deleted boolean, id text, type text, value text, content text, url text,
      mime_type text, size bigint, bytes integer, created_by text, created_at timestamptz, updated_at timestamptz,
      expires_at timestamptz, version bigint, op_id uuid, event json
    )) WITH ORDINALITY AS entries(organization, task_id, key, deleted, id, type, value, content, url, mime_type, size,
      bytes, created_by, created_at, updated_at, expires_at, version, op_id, event, position)
  ), alone AS MATERIALIZED (
    SELECT entries.*, parent_id FROM entries
    JOIN tasks ON tasks.id = task_id AND tasks.organization = entries.organization AND deleted_version IS NULL
    WHERE task_id = ANY (free) AND NOT deleted AND of_key = 1 AND NOT EXISTS (
      SELECT FROM task_attachments AS stored WHERE stored.task_id = entries.task_id AND stored.key = entries.key)
  ), written AS (
    INSERT INTO task_attachments (task_id, key, id, type, value, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, deleted)
    SELECT task_id, key, id, type, value::json, content, url, mime_type, size, bytes,
      created_by, created_at, updated_at, expires_at, version, op_id, false
    FROM alone
  ), counted AS (
    UPDATE tasks SET attachment_count = attachment_count + added
    FROM (SELECT task_id, count(*) AS added FROM alone GROUP BY task_id) AS additions WHERE tasks.id = task_id
  ), recorded AS (
    INSERT INTO outbox_history (op_id, task_id, key, version, organization, ancestors, kind, event)
    SELECT op_id, task_id, key, version, organization,
      CASE WHEN parent_id IS NOT NULL THEN ancestors_of(task_id) END, 'attachment', event
    FROM alone
    -- As `is_recorded`, for all at once.
    WHERE NOT EXISTS (SELECT FROM outbox_history AS recorded WHERE recorded.op_id = alone.op_id)
    ORDER BY position
  )
  SELECT array_agg(position) INTO fresh FROM alone;

  RETURN QUERY SELECT entries.position, written.*
  FROM (
    SELECT * FROM ROWS FROM (json_to_recordset(p_writes) AS (
      organization text, task_id text, key text, deleted boolean, id text, type text, value text, content text, url text,
      mime_type text, size bigint, bytes integer, created_by text, created_at timestamptz, updated_at timestamptz,
      expires_at timestamptz, version bigint, op_id uuid, event json, now timestamptz
    )) WITH ORDINALITY AS entries(organization, task_id, key, deleted, id, type, value, content, url, mime_type, size,
      bytes, created_by, created_at, updated_at, expires_at, version, op_id, event, now, position)
    WHERE task_id = ANY (free) AND position <> ALL (coalesce(fresh, '{}')) ORDER BY position
  ) AS entries, write_attachment(
    p_task_id => entries.task_id, p_key => entries.key, p_deleted => entries.deleted, p_id => entries.id,
    p_type => entries.type, p_value => entries.value::json, p_content => entries.content, p_url => entries.url,
    p_mime_type => entries.mime_type, p_size => entries.size, p_bytes => entries.bytes,
    p_created_by => entries.created_by, p_created_at => entries.created_at, p_updated_at => entries.updated_at,
    p_expires_at => entries.expires_at, p_version => entries.version, p_op_id => entries.op_id,
    p_event => entries.event, p_journaled => NULL, p_organization => entries.organization, p_mode => 'drain',
    p_if_absent => false, p_if_version => NULL, p_now => entries.now, p_max_attachments => 0) AS written;

  RETURN QUERY SELECT entries.position, 'applied', NULL::bigint, entries.id, entries.created_at, entries.created_by, false
  FROM ROWS FROM (json_to_recordset(p_writes) AS (id text, created_at timestamptz, created_by text))
    WITH ORDINALITY AS entries(id, created_at, created_by, position)
  WHERE position = ANY (fresh);
END
$$;
