DROP FUNCTION delete_tasks, lock_task_tree, update_task, create_task, write_attachment, event_of_stored, key_lock;
