DROP FUNCTION write_attachments(json, boolean, integer);
