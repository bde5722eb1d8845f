-- Tasks that are not finished are found among any number that are. The indexes are as small as what is left to do.
--
-- They are built while no task can be changed: about half a second for each million tasks that are in memory.
CREATE INDEX tasks_unfinished_by_creation ON tasks (organization, created_at, id) WHERE status IN ('pending', 'in_progress');
CREATE INDEX tasks_unfinished_by_priority ON tasks (organization, priority, id) WHERE status IN ('pending', 'in_progress');
