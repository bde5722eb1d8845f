DROP TRIGGER count_removed_task ON tasks;
DROP TRIGGER count_changed_task ON tasks;
DROP TRIGGER count_new_tasks ON tasks;
DROP FUNCTION count_tasks, count_changed_task, count_new_tasks, fold_task_counts;
DROP TABLE task_counts;
