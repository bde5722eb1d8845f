DROP TABLE outbox;
DROP TABLE task_attachments;
DROP TABLE tasks;
