-- The attachments of a deleted task are deleted in steps, too: gigabytes of them took longer than a call may, so that such
-- a task could never be deleted. It is gone with the first step; nothing shows what is left of it.

-- Deletes attachments of tasks that are deleted, the first 64 MiB or 10,000 rows of them, and one at least: gigabytes take
-- longer than a call may.
--
-- p_task_ids  the tasks
-- Result      those of them that have attachments left, which nothing shows: their task is deleted
--
-- Takes no lock of its own: the caller holds those of `lock_tree_step`.
CREATE OR REPLACE FUNCTION delete_attachments(p_task_ids text[]) RETURNS text[]
LANGUAGE plpgsql AS $$
BEGIN
  WITH next AS (
    SELECT task_id, key, bytes FROM task_attachments WHERE task_id = ANY (p_task_ids) ORDER BY task_id, key LIMIT 10000
  ), counted AS (
    SELECT task_id, key, sum(bytes) OVER (ORDER BY task_id, key) AS total, row_number() OVER (ORDER BY task_id, key) AS nth
    FROM next
  )
  DELETE FROM task_attachments AS doomed USING counted
  WHERE doomed.task_id = counted.task_id AND doomed.key = counted.key AND (nth = 1 OR total IS NULL OR total <= 67108864);
  RETURN ARRAY(
    SELECT task FROM unnest(p_task_ids) AS task WHERE EXISTS (SELECT FROM task_attachments WHERE task_id = task));
END
$$;

-- Replaces locked tasks by tombstones, and records their events in the order given. Their attachments are deleted by
-- `delete_attachments`.
--
-- p_deletions  an array of {task_id, version, op_id, events}; the event whose id is `op_id` announces the deletion, the
--              others are recorded as events of the task
--
-- Takes no lock of its own: the caller holds those of `lock_task_tree`.
CREATE OR REPLACE FUNCTION delete_tasks(p_deletions json) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox_history (op_id, task_id, version, kind, event)
  SELECT event_id, task_id, CASE WHEN event_id = op_id THEN version END,
    CASE WHEN event_id = op_id THEN 'task_deleted' ELSE 'task' END, event
  FROM (
    SELECT (event #>> '{metadata,eventId}')::uuid AS event_id, (deletion ->> 'op_id')::uuid AS op_id,
      deletion ->> 'task_id' AS task_id, (deletion ->> 'version')::bigint AS version, event, nth_task, nth_event
    FROM json_array_elements(p_deletions) WITH ORDINALITY AS deletions(deletion, nth_task),
      json_array_elements(deletion -> 'events') WITH ORDINALITY AS events(event, nth_event)
  ) AS events
  ORDER BY nth_task, nth_event;

  UPDATE tasks SET
    organization = NULL, text = NULL, status = NULL, priority = NULL, metadata = NULL, parent_id = NULL,
    assigned_to = NULL, created_at = NULL, created_by = NULL, updated_at = NULL, updated_by = NULL, completed_at = NULL,
    completed_by = NULL, cancelled_at = NULL, cancelled_by = NULL, error = NULL, revision = NULL, expires_at = NULL,
    attachment_count = 0, creation_fingerprint = NULL, result_fingerprint = NULL,
    deleted_version = deletions.version, deleted_op = deletions.op_id, deleted_at = now()
  FROM json_to_recordset(p_deletions) AS deletions(task_id text, version bigint, op_id uuid)
  WHERE tasks.id = deletions.task_id;
END
$$;

-- Deletes the tasks that `lock_tree_step` has locked, and notes those of them whose sub-tasks or attachments are left to
-- later steps. Goes on with the attachments that earlier steps have left.
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
  -- Tasks that have attachments left.
  partly text[];
  -- Of each parent, its last sub-task that is deleted now.
  lasts json;
BEGIN
  SELECT coalesce(array_agg(deletion ->> 'task_id'), '{}') INTO ids FROM json_array_elements(p_deletions) AS deletion;
  SELECT coalesce(json_object_agg(parent_id, last_id), '{}') INTO lasts FROM (
    SELECT parent_id, max(id) AS last_id FROM tasks WHERE id = ANY (ids) AND parent_id IS NOT NULL GROUP BY parent_id
  ) AS of_parents;

  partly := delete_attachments(ids || ARRAY(
    SELECT task_id FROM unfinished_deletions
    WHERE (root_id = p_id OR p_id = ANY (ancestors)) AND organization = p_organization
    ORDER BY seq LIMIT cardinality(ids) + 1));

  INSERT INTO unfinished_deletions (task_id, root_id, organization, deleted_by, credential_id, last_id, ancestors, begun_at)
  SELECT id, p_id, p_organization, p_deleted_by, p_credential_id, coalesce(lasts ->> id, ''), ancestors_of(id),
    coalesce((SELECT min(begun_at) FROM unfinished_deletions WHERE root_id = p_id AND organization = p_organization), now())
  FROM unnest(ids) WITH ORDINALITY AS deleted(id, nth)
  WHERE id = ANY (partly) OR EXISTS (
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
  ) AND task_id <> ALL (partly) AND NOT EXISTS (
    SELECT FROM tasks WHERE organization = p_organization AND parent_id = unfinished.task_id AND id > unfinished.last_id
  );
  RETURN EXISTS (
    SELECT FROM unfinished_deletions
    WHERE (root_id = p_id OR p_id = ANY (ancestors)) AND organization = p_organization
  );
END
$$;
