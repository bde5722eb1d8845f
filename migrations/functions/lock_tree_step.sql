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
