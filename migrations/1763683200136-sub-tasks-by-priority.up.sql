-- The sub-tasks of a task by their priority: a page behind 100,000 of them passed by each in a random place of the table.
--
-- It is built while no task can be changed: about a second for each million sub-tasks that are in memory.
CREATE INDEX tasks_by_parent_and_priority ON tasks (organization, parent_id, priority, id)
WHERE parent_id IS NOT NULL AND deleted_version IS NULL;
