DROP TABLE outbox;
DROP FUNCTION set_outbox_organization;
DROP TABLE task_attachments;
DROP TABLE tasks;
