-- The expired tasks of each organisation are found among any number of another one's.
--
-- The index has only tasks with a time to live. It is built while no task can be changed: about a second for each million
-- of them that are in memory.
CREATE INDEX tasks_of_organizations_by_expiry ON tasks (organization, expires_at, id) WHERE expires_at IS NOT NULL;
