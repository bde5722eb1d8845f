DROP INDEX task_attachments_by_creation;
CREATE INDEX task_attachments_by_creation ON task_attachments (task_id, created_at, key) WHERE NOT deleted;
