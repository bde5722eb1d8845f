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
