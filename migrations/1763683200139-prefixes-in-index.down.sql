CREATE UNIQUE INDEX task_attachments_by_key ON task_attachments (task_id, key);
ALTER TABLE task_attachments DROP CONSTRAINT task_attachments_pkey,
  ADD CONSTRAINT task_attachments_pkey PRIMARY KEY USING INDEX task_attachments_by_key;
