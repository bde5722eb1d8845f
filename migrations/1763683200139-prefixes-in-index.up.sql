-- The keys with a prefix are a range of the primary key. It also holds what they are filtered and ordered by now, so that
-- they are counted without a look into the table.
--
-- It is built while no attachment can be changed: about a second for each million that are in memory.
CREATE UNIQUE INDEX task_attachments_by_key ON task_attachments (task_id, key)
INCLUDE (created_at, type, expires_at, deleted);
ALTER TABLE task_attachments DROP CONSTRAINT task_attachments_pkey,
  ADD CONSTRAINT task_attachments_pkey PRIMARY KEY USING INDEX task_attachments_by_key;
