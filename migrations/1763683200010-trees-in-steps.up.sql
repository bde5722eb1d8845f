-- A tree is deleted in steps of a few tasks each, so that no deletion fills the table of locks or keeps others waiting.
-- A task of another organisation is told from a missing one by no wait for a lock.

-- Deleted tasks whose sub-tasks are still to be deleted.
CREATE TABLE unfinished_deletions (
  seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task_id       text COLLATE "C" NOT NULL UNIQUE REFERENCES tasks,
  -- The task that the deletion was asked for.
  root_id       text COLLATE "C" NOT NULL REFERENCES tasks,
  organization  text COLLATE "C" NOT NULL,
  deleted_by    text NOT NULL,
  credential_id text,
  -- The sub-tasks up to this one are deleted.
  last_id       text COLLATE "C" NOT NULL,
  -- What was above the task, the nearest first.
  ancestors     text[] COLLATE "C",
  -- When the task of `root_id` was deleted.
  begun_at      timestamptz NOT NULL
);
CREATE INDEX unfinished_deletions_by_root ON unfinished_deletions (root_id, seq);

-- With the organization, so that a search for sub-tasks takes no longer if a task of another organization has some.
CREATE INDEX tasks_by_parent_and_id ON tasks (organization, parent_id, id) WHERE parent_id IS NOT NULL;
DROP INDEX tasks_by_parent;

-- The tasks above a task, also while they are being deleted before it.
--
-- p_task_id  the task
-- Result     the nearest first, 32 at most, so that a long chain of tasks stays affordable; null if there are none
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION ancestors_of(p_task_id text) RETURNS text[]
LANGUAGE sql STABLE AS $$
  WITH RECURSIVE above AS (
    SELECT parent_id AS id, 1 AS level FROM tasks WHERE id = p_task_id AND parent_id IS NOT NULL
    UNION ALL
    SELECT tasks.parent_id, level + 1 FROM above JOIN tasks ON tasks.id = above.id
    WHERE tasks.parent_id IS NOT NULL AND level < 32
  ), chain AS (
    SELECT array_agg(id ORDER BY level) AS ids FROM above
  )
  -- A deleted task has no parent any more; what was above it is kept until its sub-tasks are deleted.
  SELECT (ids || (SELECT ancestors FROM unfinished_deletions WHERE task_id = ids[cardinality(ids)]))[1:32] FROM chain
$$;

-- Trigger function: gives a new row of the outbox what decides which readers it is for: the organization of its task, and
-- the ancestors of the task. The task may be deleted in the same transaction, and then its row no longer has either. A
-- row that is recorded as published is announced to no organization, and does not fire the trigger.
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
  live := counted AND (stored.expires_at IS NULL OR stored.expires_at > p_now);

  IF p_mode = 'drain' AND stored.op_id = p_op_id THEN
    -- An earlier drain has applied the write, or a call that was given up and took effect later. Its event is recorded.
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
    -- Readers of events rely on it that a transaction has its number before its rows get theirs.
    PERFORM pg_current_xact_id();
    INSERT INTO outbox (op_id, task_id, key, version, kind, superseded, event)
    VALUES (p_op_id, p_task_id, p_key, p_version, 'attachment', state = 'superseded',
      CASE WHEN state = 'applied' AND live THEN event_of_stored(p_event, stored.id) ELSE p_event END)
    ON CONFLICT (op_id) DO NOTHING;
  END IF;
  RETURN NEXT;
END
$$;

-- Locks the next tasks of a tree that is being deleted: the root and what is below it, or what earlier steps have left.
--
-- p_id, p_organization  the root of the tree
-- p_limit               how many tasks and attachments to lock; one task more, if it has more attachments
-- Result                the tasks to delete, parents before their children, and below a parent by their ids; no row if
--                       the root is missing or its parent is deleted, unless its deletion has steps to go. Those of a
--                       task that was deleted below the root before are among them. The rows are read after the locks
--                       were taken: the snapshot of the calling statement is older
--
-- Locks: the root (exclusive), so that one step works on a tree at a time, also when the root is deleted already. Then of
-- each task its advisory lock (exclusive) and its row, parents before their children. While a task is locked, no
-- transaction can add a sub-task to it, and none can afterwards. The row locks stop writers that take no advisory lock.
-- They do not conflict with the foreign keys of sub-tasks: a writer that waits there would in turn be waited for.
CREATE OR REPLACE FUNCTION lock_tree_step(p_id text, p_organization text, p_limit integer) RETURNS SETOF tasks
LANGUAGE plpgsql AS $$
DECLARE
  -- Tasks whose sub-tasks come next, each with the last sub-task that earlier steps have deleted.
  parents  text[];
  lasts    text[];
  children text[];
  task     tasks;
  room     integer := p_limit;
  nth      integer := 1;
BEGIN
  PERFORM FROM unfinished_deletions
  WHERE (root_id = p_id OR p_id = ANY (ancestors)) AND organization = p_organization;
  IF NOT FOUND THEN
    PERFORM FROM tasks t WHERE t.id = p_id AND t.organization = p_organization AND t.deleted_version IS NULL
      AND NOT EXISTS (SELECT FROM tasks p WHERE p.id = t.parent_id AND p.deleted_version IS NOT NULL);
    IF NOT FOUND THEN
      RETURN;
    END IF;
  END IF;

  PERFORM pg_advisory_xact_lock(task_lock(p_id));
  FOR task IN
    SELECT * FROM tasks WHERE id = p_id AND organization = p_organization AND deleted_version IS NULL FOR NO KEY UPDATE
  LOOP
    RETURN NEXT task;
    room := room - 1 - task.attachment_count;
    parents := ARRAY[p_id];
    lasts := ARRAY[''];
  END LOOP;
  IF parents IS NULL THEN
    SELECT array_agg(task_id ORDER BY seq), array_agg(last_id ORDER BY seq) INTO parents, lasts FROM (
      SELECT task_id, last_id, seq FROM unfinished_deletions
      WHERE (root_id = p_id OR p_id = ANY (ancestors)) AND organization = p_organization ORDER BY seq LIMIT p_limit
    ) AS first;
  END IF;

  WHILE room > 0 AND nth <= cardinality(parents) LOOP
    SELECT array_agg(id ORDER BY id) INTO children FROM (
      SELECT id FROM tasks
      WHERE organization = p_organization AND parent_id = parents[nth] AND id > lasts[nth] ORDER BY id LIMIT room
    ) AS next;
    PERFORM pg_advisory_xact_lock(task_lock(id)) FROM unnest(children) AS id;
    FOR task IN
      SELECT * FROM tasks WHERE id = ANY (children) AND deleted_version IS NULL ORDER BY id FOR NO KEY UPDATE
    LOOP
      RETURN NEXT task;
      room := room - 1 - task.attachment_count;
      parents := parents || task.id;
      lasts := lasts || ''::text;
      EXIT WHEN room <= 0;
    END LOOP;
    nth := nth + 1;
  END LOOP;
END
$$;

-- Deletes the tasks that `lock_tree_step` has locked, and notes those of them whose sub-tasks are left to later steps.
--
-- p_id, p_organization  the root of the tree
-- p_deleted_by, p_credential_id
--                       on whose behalf, for the steps that are taken in the background
-- p_deletions           as in `delete_tasks`, in the order of `lock_tree_step`
-- Result                whether steps are left, those of a task that was deleted below the root before included
--
-- Takes no lock of its own: the caller holds those of `lock_tree_step`.
CREATE OR REPLACE FUNCTION delete_tree_step(
  p_id text, p_organization text, p_deleted_by text, p_credential_id text, p_deletions json
) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  ids   text[];
  -- Of each parent, its last sub-task that is deleted now.
  lasts json;
BEGIN
  SELECT coalesce(array_agg(deletion ->> 'task_id'), '{}') INTO ids FROM json_array_elements(p_deletions) AS deletion;
  SELECT coalesce(json_object_agg(parent_id, last_id), '{}') INTO lasts FROM (
    SELECT parent_id, max(id) AS last_id FROM tasks WHERE id = ANY (ids) AND parent_id IS NOT NULL GROUP BY parent_id
  ) AS of_parents;

  INSERT INTO unfinished_deletions (task_id, root_id, organization, deleted_by, credential_id, last_id, ancestors, begun_at)
  SELECT id, p_id, p_organization, p_deleted_by, p_credential_id, coalesce(lasts ->> id, ''), ancestors_of(id),
    coalesce((SELECT min(begun_at) FROM unfinished_deletions WHERE root_id = p_id AND organization = p_organization), now())
  FROM unnest(ids) WITH ORDINALITY AS deleted(id, nth)
  WHERE EXISTS (
    SELECT FROM tasks WHERE organization = p_organization AND parent_id = deleted.id AND id > coalesce(lasts ->> deleted.id, '')
  )
  ORDER BY nth;

  PERFORM delete_tasks(p_deletions);

  UPDATE unfinished_deletions SET last_id = lasts ->> task_id
  WHERE task_id = ANY (ARRAY(SELECT json_object_keys(lasts))) AND task_id <> ALL (ids)
    AND organization = p_organization;
  -- The step has come no further: it has taken one sub-task at least of each but the last.
  DELETE FROM unfinished_deletions AS unfinished
  WHERE seq IN (
    SELECT seq FROM unfinished_deletions
    WHERE (root_id = p_id OR p_id = ANY (ancestors)) AND organization = p_organization
    ORDER BY seq LIMIT cardinality(ids) + 1
  ) AND NOT EXISTS (
    SELECT FROM tasks WHERE organization = p_organization AND parent_id = unfinished.task_id AND id > unfinished.last_id
  );
  RETURN EXISTS (
    SELECT FROM unfinished_deletions
    WHERE (root_id = p_id OR p_id = ANY (ancestors)) AND organization = p_organization
  );
END
$$;

-- Dropped by the next release: replicas of the release before `lock_tree_step` call it.
-- Locks a task and all its sub-tasks, level by level, for a deletion.
--
-- p_id, p_organization  the root of the tree
-- Result                the tasks of the tree, parents before their children; no row if the task is missing. The rows
--                       are read after the locks were taken: the snapshot of the calling statement is older, and may
--                       lack the last change or the last sub-task
--
-- Locks: of each level first the advisory locks of its tasks (exclusive), in the order of their ids, then their rows.
-- While a task is locked, no transaction can add a sub-task to it, so the next level is complete when it is read. The
-- row locks stop writers that take no advisory lock. They do not conflict with the foreign keys of sub-tasks: a writer
-- that waits there would in turn be waited for.
CREATE OR REPLACE FUNCTION lock_task_tree(p_id text, p_organization text) RETURNS SETOF tasks
LANGUAGE plpgsql AS $$
DECLARE
  level text[];
BEGIN
  -- Nothing is locked for a caller who has no such task.
  PERFORM FROM tasks WHERE id = p_id AND organization = p_organization AND deleted_version IS NULL;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(task_lock(p_id));
  SELECT array_agg(id) INTO level FROM tasks
  WHERE id = p_id AND organization = p_organization AND deleted_version IS NULL;
  WHILE level IS NOT NULL LOOP
    RETURN QUERY SELECT * FROM tasks WHERE id = ANY (level) ORDER BY id FOR NO KEY UPDATE;
    PERFORM pg_advisory_xact_lock(task_lock(id)) FROM (
      SELECT id FROM tasks WHERE organization = p_organization AND parent_id = ANY (level) ORDER BY id
    ) AS children;
    SELECT array_agg(id) INTO level FROM tasks WHERE organization = p_organization AND parent_id = ANY (level);
  END LOOP;
END
$$;
