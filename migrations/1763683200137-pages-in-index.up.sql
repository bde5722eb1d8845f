-- The index by creation also has what pages are filtered by: a page by type or prefix, or far behind the first one, no longer
-- reads, and sorts, all attachments of the task with their bodies. An overwrite does not change what is added, unless it
-- changes the type; what changes the time to live is entered into other indexes, too.
--
-- It is built while no attachment can be changed: about a second for each million that are in memory.
CREATE INDEX task_attachments_in_pages ON task_attachments (task_id, created_at, key) INCLUDE (type, expires_at)
WHERE NOT deleted;
DROP INDEX task_attachments_by_creation;
ALTER INDEX task_attachments_in_pages RENAME TO task_attachments_by_creation;
