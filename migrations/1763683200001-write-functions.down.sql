DROP FUNCTION delete_tasks, lock_task_tree, update_task, create_task, write_attachment, expire_attachment, record_expiry,
  event_of_stored, key_lock, task_lock;
