-- The other functions are dropped with the migration that created them.
DROP FUNCTION delete_attachments;
