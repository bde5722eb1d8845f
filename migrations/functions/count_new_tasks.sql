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
