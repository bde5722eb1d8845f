-- How many tasks an organization has is kept, so that a list need not count them.

-- No task can be created, changed or deleted from here to the end of the migration: what is counted below is complete. A
-- transaction that has locked rows of tasks is waited for, too: it may hold the outbox, which the next migrations need.
LOCK TABLE tasks IN EXCLUSIVE MODE;

-- Of each organization, how many live tasks it has of each kind: the sum over the rows of the kind. A change adds rows;
-- now and then they are folded into one.
--
-- No column is unique, so no insert waits for another one.
CREATE TABLE task_counts (
  organization text COLLATE "C" NOT NULL,
  is_root      boolean NOT NULL,
  status       text NOT NULL,
  priority     smallint NOT NULL,
  count        integer NOT NULL
) WITH (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
);
-- For logical replication, as there is no key.
ALTER TABLE task_counts REPLICA IDENTITY FULL;

INSERT INTO task_counts (organization, is_root, status, priority, count)
SELECT organization, parent_id IS NULL, status, priority, count(*) FROM tasks WHERE deleted_version IS NULL
GROUP BY organization, parent_id IS NULL, status, priority;
CREATE INDEX task_counts_by_organization ON task_counts (organization);

-- Puts the sums of the rows that an organization has in `task_counts` in their place. What others have not committed yet
-- stays as it is.
--
-- p_organization  whose rows
--
-- Locks: those who do the same for the organization pass each other by, so it never waits. The lock is of the kind with
-- two numbers, which no other function takes: whoever holds locks of tasks may take it.
--
-- A plain scan of the index notes there which rows are gone. Others that follow pass them by, long before a vacuum.
CREATE OR REPLACE FUNCTION fold_task_counts(p_organization text) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock(723401728, hashtext(p_organization)) THEN
    RETURN;
  END IF;
  WITH folded AS (
    DELETE FROM task_counts WHERE organization = p_organization RETURNING *
  )
  INSERT INTO task_counts (organization, is_root, status, priority, count)
  SELECT organization, is_root, status, priority, sum(count) FROM folded
  GROUP BY organization, is_root, status, priority HAVING sum(count) <> 0;
END
$$;

-- Trigger function: adds the tasks that a statement has created to `task_counts`, as rows of their own: two transactions
-- never wait for each other to count. Now and then, by chance, as that needs no counter, it folds the rows of an
-- organization: after about a hundred changes.
--
-- Takes no lock that others wait for; see `fold_task_counts`.
CREATE OR REPLACE FUNCTION count_new_tasks() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO task_counts (organization, is_root, status, priority, count)
  SELECT organization, parent_id IS NULL, status, priority, count(*) FROM created WHERE deleted_version IS NULL
  GROUP BY organization, parent_id IS NULL, status, priority;
  IF random() < 0.01 THEN
    PERFORM fold_task_counts(organization) FROM created WHERE deleted_version IS NULL GROUP BY organization;
  END IF;
  RETURN NULL;
END
$$;

-- Trigger function: notes in `task_counts` that a task is of another kind now, or is gone, as `count_new_tasks` does.
--
-- Takes no lock that others wait for; see `fold_task_counts`.
CREATE OR REPLACE FUNCTION count_changed_task() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.deleted_version IS NULL THEN
    INSERT INTO task_counts (organization, is_root, status, priority, count)
    VALUES (OLD.organization, OLD.parent_id IS NULL, OLD.status, OLD.priority, -1);
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.deleted_version IS NULL THEN
    INSERT INTO task_counts (organization, is_root, status, priority, count)
    VALUES (NEW.organization, NEW.parent_id IS NULL, NEW.status, NEW.priority, 1);
  END IF;
  IF random() < 0.01 THEN
    PERFORM fold_task_counts(coalesce(OLD.organization, NEW.organization));
  END IF;
  RETURN NULL;
END
$$;

-- How many live tasks an organization has, of all or of certain kinds. The cost grows with the kinds that there are (a kind is
-- a status, a priority, and whether the tasks have a parent), not with the tasks.
--
-- p_statuses, p_priority  null for any
-- p_is_root               whether tasks without a parent count alone; null for any
--
-- Takes no lock. It sees what the calling statement sees.
CREATE OR REPLACE FUNCTION count_tasks(
  p_organization text, p_statuses text[], p_priority smallint, p_is_root boolean
) RETURNS integer
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
  RETURN (
    SELECT coalesce(sum(count), 0) FROM task_counts
    WHERE organization = p_organization AND (p_statuses IS NULL OR status = ANY (p_statuses))
      AND (p_priority IS NULL OR priority = p_priority) AND (p_is_root IS NULL OR is_root = p_is_root)
  );
END
$$;

-- In the database, so that replicas of the previous release count, too. A change of what is no kind, such as the number of
-- attachments, does not fire them.
CREATE TRIGGER count_new_tasks AFTER INSERT ON tasks
REFERENCING NEW TABLE AS created FOR EACH STATEMENT EXECUTE FUNCTION count_new_tasks();

CREATE TRIGGER count_changed_task AFTER UPDATE OF organization, parent_id, status, priority, deleted_version ON tasks
FOR EACH ROW WHEN (
  (OLD.organization, OLD.parent_id IS NULL, OLD.status, OLD.priority, OLD.deleted_version IS NULL)
  IS DISTINCT FROM (NEW.organization, NEW.parent_id IS NULL, NEW.status, NEW.priority, NEW.deleted_version IS NULL)
) EXECUTE FUNCTION count_changed_task();

CREATE TRIGGER count_removed_task AFTER DELETE ON tasks FOR EACH ROW EXECUTE FUNCTION count_changed_task();
