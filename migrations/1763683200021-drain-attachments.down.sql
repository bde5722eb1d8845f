DROP FUNCTION drain_attachments;
