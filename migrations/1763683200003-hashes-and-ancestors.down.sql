ALTER TRIGGER set_readers ON outbox RENAME TO set_organization;
ALTER FUNCTION set_outbox_readers RENAME TO set_outbox_organization;
DROP FUNCTION creation_hash;
ALTER TABLE outbox DROP COLUMN ancestors;
ALTER TABLE tasks DROP COLUMN creation_hash, DROP COLUMN result_hash;
