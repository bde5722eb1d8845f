-- Plans are kept that were made anew at each call: of the ancestors of a sub-task, of the fingerprint of a new task, of
-- statements for a few puts. The event of an overwrite is made without a call of its function.

-- The tasks above a task, also while they are being deleted before it.
--
-- p_task_id  the task
-- Result     the nearest first, 32 at most, so that a long chain of tasks stays affordable; null if there are none
--
-- In PL/pgSQL, which keeps the plan: a function in SQL would be planned at each call, which takes three times as long. Each
-- task is looked up by its id alone, whatever a plan made on small tables would prefer.
--
-- Takes no lock.
CREATE OR REPLACE FUNCTION ancestors_of(p_task_id text) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (
    WITH RECURSIVE above AS (
      SELECT parent_id AS id, 1 AS level FROM (SELECT parent_id FROM tasks WHERE id = p_task_id LIMIT 1) AS one
      WHERE parent_id IS NOT NULL
      UNION ALL
      SELECT parent_id, level + 1 FROM above
      CROSS JOIN LATERAL (SELECT parent_id FROM tasks WHERE id = above.id LIMIT 1) AS one
      WHERE parent_id IS NOT NULL AND level < 32
    ), chain AS (
      SELECT array_agg(id ORDER BY level) AS ids FROM above
    )
    -- A deleted task has no parent any more; what was above it is kept until its sub-tasks are deleted.
    SELECT (ids || (SELECT ancestors FROM unfinished_deletions WHERE task_id = ids[cardinality(ids)]))[1:32] FROM chain
  );
END
$$;

-- The fingerprint of what a task is created with. A repeated call has the same, whatever has become of the task since.
--
-- p_text … p_puts  as in `create_task`; of the attachments only their keys and values count
-- Result           a SHA-256 hash
--
-- In PL/pgSQL, which keeps the plan of the expression. Takes no lock.
CREATE OR REPLACE FUNCTION creation_fingerprint(
  p_text text, p_priority smallint, p_metadata json, p_parent_id text, p_puts json
) RETURNS bytea
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN sha256(convert_to(json_build_array(p_text, p_priority, p_metadata, p_parent_id, (
    SELECT json_agg(json_build_array(put ->> 'key', put ->> 'value') ORDER BY position)
    FROM json_array_elements(p_puts) WITH ORDINALITY AS puts(put, position)
  ))::text, 'UTF8'));
END
$$;

-- The event of a write that found a live attachment under its key.
--
-- p_event          the event as the core drafted it, as if the key were new
-- p_attachment_id  the id of the attachment that was found
-- Result           the event with that id, and with `replaced` true if it has this member
--
-- Takes no lock. STABLE, as what it calls: otherwise it is not inlined, and its call is a tenth of the cost of a put.
CREATE OR REPLACE FUNCTION event_of_stored(p_event json, p_attachment_id text) RETURNS json
LANGUAGE sql STABLE AS $$
  SELECT jsonb_set(
    jsonb_set(p_event::jsonb, '{payload,attachmentId}', to_jsonb(p_attachment_id)),
    '{metadata,replaced}', 'true', create_if_missing => false)::json
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
--
-- Lists are read by `(SELECT …)`, so that the planner does not see how long they are, and keeps its plans: of a few puts it
-- would make each statement anew, which takes longer than to write them.
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
    SELECT * FROM unnest((SELECT task_ids), (SELECT keys)) WITH ORDINALITY AS puts(task_id, key, position)
    WHERE task_id = ANY ((SELECT free)::text[]) OFFSET 0
  ) AS puts WHERE pg_try_advisory_xact_lock(key_lock(task_id, key));

  SELECT array_agg(DISTINCT task_id) INTO counting
  FROM unnest((SELECT task_ids), (SELECT keys)) WITH ORDINALITY AS puts(task_id, key, position)
  WHERE position = ANY ((SELECT held)::bigint[]) AND NOT EXISTS (
    SELECT FROM task_attachments AS stored
    WHERE stored.task_id = puts.task_id AND stored.key = puts.key AND NOT stored.deleted);
  IF p_wait THEN
    PERFORM FROM tasks WHERE id = ANY ((SELECT counting)::text[]) FOR NO KEY UPDATE;
  ELSE
    SELECT array_agg(id) INTO counting
    FROM (SELECT id FROM tasks WHERE id = ANY ((SELECT counting)::text[]) FOR NO KEY UPDATE SKIP LOCKED) AS locked;
  END IF;

  -- Readers of events rely on it that a transaction has its number before its rows get theirs.
  PERFORM pg_current_xact_id();

  RETURN QUERY WITH judged AS MATERIALIZED (
    SELECT puts.*, parent_id, stored.version AS stored_version, live, stored.id AS stored_id,
      stored.created_at AS stored_created_at, stored.created_by AS stored_created_by,
      stored.deleted IS FALSE AS counted,
      CASE
        WHEN tasks.id IS NULL THEN 'task-missing'
        WHEN puts.task_id <> ALL (coalesce((SELECT free), '{}')) THEN 'task-held'
        WHEN position <> ALL (coalesce((SELECT held), '{}')) THEN 'key-held'
        WHEN stored.version >= puts.version THEN 'superseded'
        WHEN live THEN 'applied'
        WHEN NOT stored.deleted THEN 'left-out'
        WHEN puts.task_id <> ALL (coalesce((SELECT counting), '{}')) THEN 'task-held'
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
