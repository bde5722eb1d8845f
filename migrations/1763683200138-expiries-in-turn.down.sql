DROP TRIGGER set_expiry_organization ON task_attachments;
DROP FUNCTION set_expiry_organization();
ALTER TABLE task_attachments DROP COLUMN organization;
