-- The tasks of one worker are found, and counted, among any number of others: a caller may ask again and again for those
-- of a worker that has none. A task has one when it is finished, and the index no others.
--
-- It is built while no task can be changed: about half a second for each million tasks that are in memory.
CREATE INDEX tasks_by_assignee ON tasks (organization, assigned_to, created_at, id)
WHERE assigned_to IS NOT NULL AND deleted_version IS NULL;
