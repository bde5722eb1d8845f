CREATE INDEX tasks_by_parent ON tasks (parent_id) WHERE parent_id IS NOT NULL;
DROP INDEX tasks_by_parent_and_id;
DROP FUNCTION lock_tree_step, delete_tree_step, ancestors_of;
DROP TABLE unfinished_deletions;
