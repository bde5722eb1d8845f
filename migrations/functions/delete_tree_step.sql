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
