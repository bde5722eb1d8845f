-- The primary key also has what pages by prefix are ordered and filtered by: the keys with a prefix are a range of it, and are
-- counted without the table, where each of them would be looked up twice.
--
-- It is built while no attachment can be changed: about a second for each million that are in memory.
CREATE UNIQUE INDEX task_attachments_by_key ON task_attachments (task_id, key)
INCLUDE (created_at, type, expires_at, deleted);
ALTER TABLE task_attachments DROP CONSTRAINT task_attachments_pkey,
  ADD CONSTRAINT task_attachments_pkey PRIMARY KEY USING INDEX task_attachments_by_key;
